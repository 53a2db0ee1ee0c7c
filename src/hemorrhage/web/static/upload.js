// Adding studies: drop, choose, send, and watch what the server makes of it.

import { upload, getJson } from "./api.js";
import { build, byId, say } from "./dom.js";
import { listChosen, listDropped, tooMuch } from "./files.js";
import { alertPeople, orAlert } from "./messages.js";
import { bytes, count } from "./words.js";

const POLL_MS = 500;

/** Takes files by drop and by button; `onNews` is called whenever an upload has got further. */
export class Uploads {
  #running = 0;

  constructor(limits, onNews) {
    this.limits = limits;
    this.onNews = onNews;
    for (const kind of ["files", "folder"]) this.#followInput(byId(`choose-${kind}`), byId(`input-${kind}`));
    this.#followDrops();
  }

  get running() {
    return this.#running > 0;
  }

  /** Sends files and shows how far they are, until their studies are read. */
  async add(files) {
    const problem = files.length ? tooMuch(files, this.limits) : "There is no file in what was dropped.";
    if (problem) return alertPeople(problem);
    const row = new UploadRow(count(files.length, "file"));
    await this.#watched(row, () => upload(files, (sent, total) => row.send(sent, total)));
  }

  /** Follows an upload that the server began by itself, such as one pulled from a PACS. */
  async follow(id, title) {
    await this.#watched(new UploadRow(title), async () => id);
  }

  clear() {
    byId("uploads").replaceChildren();
  }

  async #watched(row, begin) {
    this.#running += 1;
    try {
      await this.#poll(await begin(), row);
    } catch (error) {
      // After an erased session it is right that the server knows nothing of this upload.
      if (row.isThere) alertPeople(error.message);
      row.remove();
    } finally {
      this.#running -= 1;
      this.onNews();
    }
  }

  async #poll(id, row) {
    // Erasing the session takes the row away, and with it the reason to ask on.
    while (row.isThere) {
      const state = await getJson(`/api/uploads/${id}`);
      row.show(state);
      this.onNews();
      if (state.state === "failed") alertPeople(state.error ?? "These files could not be read.");
      if (state.state === "done" || state.state === "failed") return;
      await new Promise((wake) => setTimeout(wake, POLL_MS));
    }
  }

  #followInput(button, input) {
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const files = listChosen(input);
      // The same files can be chosen again.
      input.value = "";
      if (files.length) this.add(files);
    });
  }

  #followDrops() {
    const mark = (on) => document.body.classList.toggle("dropping", on);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      mark(true);
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && mark(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(false);
      const listed = listDropped(event.dataTransfer);
      orAlert(async () => this.add(await listed));
    });
  }
}

class UploadRow {
  #bar = build("progress", { max: 1, value: 0, "aria-label": "Progress of these files" });
  #message = build("p", { class: "upload-message", role: "status" });
  #left = build("details", { class: "left-out", hidden: true });

  constructor(title) {
    this.title = build("span", {}, title);
    const hide = build("button", { type: "button", class: "quiet", onclick: () => this.remove() }, "Hide");
    const head = build("div", { class: "upload-head" }, this.title, hide);
    this.row = build("li", { class: "upload" }, head, this.#bar, this.#message, this.#left);
    byId("uploads").prepend(this.row);
  }

  get isThere() {
    return this.row.isConnected;
  }

  remove() {
    this.row.remove();
  }

  send(sent, total) {
    this.#bar.value = total ? sent / total : 0;
    say(this.#message, `sending ${bytes(sent)} of ${bytes(total)}`);
  }

  show({ state, done, total, message, studies, left_out: leftOut }) {
    const ended = state === "done" || state === "failed";
    this.row.dataset.state = state;
    if (total) this.#bar.value = done / total;
    else this.#bar.removeAttribute("value");
    this.#bar.hidden = ended;
    say(this.#message, ended ? "" : message);
    if (ended) this.title.append(`: ${made(state, studies)}`);
    this.#list(leftOut);
    if (ended && !studies.length) this.#left.open = true;
  }

  #list(leftOut) {
    this.#left.hidden = !leftOut.length;
    if (this.#left.children.length - 1 === leftOut.length) return;
    this.#left.replaceChildren(
      build("summary", {}, `${count(leftOut.length, "file")} left out`),
      ...leftOut.map(({ file, why }) => build("p", {}, build("b", {}, file), ` ${why}`)),
    );
  }
}

function made(state, studies) {
  if (state === "failed") return "failed";
  return studies.length ? count(studies.length, "study", "studies") : "nothing could be read";
}
