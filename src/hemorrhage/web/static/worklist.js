// The studies of the session, the most urgent first, as the server sorts them.

import { build, byId, say } from "./dom.js";
import { count, percent, ranked } from "./words.js";

/** Draws the list; `onChoose` is called with a study's id. */
export class Worklist {
  rows = [];
  open = null;
  #shown = new Map();

  constructor(onChoose) {
    this.onChoose = onChoose;
  }

  show(rows) {
    this.rows = rows;
    const list = byId("worklist");
    for (const [id, { item }] of this.#shown) if (!rows.some((row) => row.study === id)) this.#drop(id, item);
    rows.forEach((row, at) => {
      const item = this.#itemOf(row);
      // An item is moved only where it stands wrong: moving it would take its focus.
      if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
    });
    byId("worklist-empty").hidden = rows.length > 0;
  }

  /** Marks the study that is open. */
  mark(id) {
    this.open = id;
    for (const [known, { button }] of this.#shown) button.setAttribute("aria-current", known === id);
  }

  /** Opens the study so many rows further down. */
  step(rows) {
    const aim = this.rows[this.rows.findIndex((row) => row.study === this.open) + rows];
    if (aim) this.onChoose(aim.study);
  }

  #drop(id, item) {
    item.remove();
    this.#shown.delete(id);
  }

  #itemOf(row) {
    if (!this.#shown.has(row.study)) this.#shown.set(row.study, this.#build(row));
    const { item, parts } = this.#shown.get(row.study);
    item.dataset.state = row.state;
    say(parts.title, row.title);
    say(parts.urgency, row.state === "done" ? percent(row.urgency) : "");
    say(parts.description, row.description);
    say(parts.detail, describe(row));
    parts.bar.style.width = `${100 * share(row)}%`;
    return item;
  }

  #build(row) {
    const parts = {
      title: build("span", { class: "work-title" }),
      urgency: build("span", { class: "work-urgency" }),
      description: build("span", { class: "work-description" }),
      detail: build("span", { class: "work-detail" }),
      bar: build("span", { class: "work-bar", "aria-hidden": "true" }),
    };
    const button = build("button", { type: "button", class: "work", "aria-current": row.study === this.open });
    button.append(parts.title, parts.urgency, parts.description, parts.detail, parts.bar);
    button.addEventListener("click", () => this.onChoose(row.study));
    return { item: build("li", {}, button), button, parts };
  }
}

function describe(row) {
  const slices = count(row.slices, "slice");
  if (row.state === "failed") return row.error ?? "could not be read";
  if (row.state === "reading") return "reading its slices";
  if (row.state === "predicting") return `predicting ${row.done} of ${row.total}`;
  const [label, probability] = row.answer ? ranked(row.answer)[0] : [];
  // The number stays with its sign where the line breaks.
  return label ? `${slices} · ${label} ${percent(probability).replace(" ", "\u00a0")}` : slices;
}

function share(row) {
  if (row.state !== "done") return row.total ? row.done / row.total : 0;
  return row.urgency ?? 0;
}
