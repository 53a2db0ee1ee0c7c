// The labels' probabilities along the series, one small chart a label under the image: a bar a slice, from below up.

import { build, buildSvg, byId, say } from "./dom.js";
import { swatch } from "./overlay.js";
import { percent } from "./words.js";

/** Returns the slice under a place on a chart, `share` of its width from the left. */
export function sliceAt(share, slices) {
  return Math.min(Math.max(Math.floor(share * slices), 0), slices - 1);
}

/** Draws the charts of a Reading and goes where they are clicked; a label's button switches its saliency. */
export class Charts {
  #rows = new Map();

  constructor(reading, overlay, labels) {
    this.reading = reading;
    this.overlay = overlay;
    byId("charts").replaceChildren(...labels.map((label, at) => this.#buildRow(label, at)));
    for (const event of ["open", "update", "close"]) reading.addEventListener(event, () => this.#draw());
    for (const event of ["open", "update", "close", "slice"]) reading.addEventListener(event, () => this.#mark());
    overlay.addEventListener("change", () => this.#press());
  }

  #buildRow(label, at) {
    const button = build(
      "button",
      { type: "button", class: "chart-label", "aria-pressed": "false", title: `Saliency of ${label} on the image` },
      swatch(),
      label,
    );
    const bars = buildSvg("svg", { class: "chart-bars", preserveAspectRatio: "none", "aria-hidden": "true" });
    const plot = this.#buildPlot(label, bars);
    const value = build("span", { class: "chart-value", "aria-hidden": "true" }, "–");
    button.addEventListener("click", () => this.overlay.toggle(label));
    this.#rows.set(label, { button, bars, plot, value });
    return build("div", { class: `chart label-${at}` }, button, plot, value);
  }

  #buildPlot(label, bars) {
    const plot = build("div", { class: "chart-plot", role: "slider", tabindex: 0 }, bars);
    plot.setAttribute("aria-label", `${label}: probability along the series. Enter goes to the highest`);
    const goTo = (event) => this.reading.go(this.#indexAt(event, plot));
    plot.addEventListener("pointerdown", (event) => {
      plot.setPointerCapture(event.pointerId);
      goTo(event);
    });
    plot.addEventListener("pointermove", (event) => {
      if (event.buttons) goTo(event);
      plot.title = this.#describe(label, this.#indexAt(event, plot));
    });
    plot.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.reading.goToPeak(label);
    });
    return plot;
  }

  #indexAt(event, plot) {
    const box = plot.getBoundingClientRect();
    return sliceAt((event.clientX - box.left) / box.width, this.reading.slices.length);
  }

  #describe(label, index) {
    const slice = this.reading.slices[index];
    if (!slice) return "";
    const probability = slice.probabilities ? percent(slice.probabilities[label]) : "not predicted yet";
    return `Slice ${index + 1} of ${this.reading.slices.length}: ${slice.error ? "could not be read" : probability}`;
  }

  #draw() {
    const { slices } = this.reading;
    for (const [label, { bars, plot }] of this.#rows) {
      bars.setAttribute("viewBox", `0 0 ${Math.max(slices.length, 1)} 1`);
      bars.replaceChildren(
        buildSvg("rect", { class: "here", y: 0, width: 1, height: 1 }),
        buildSvg("line", { class: "half", x1: 0, x2: slices.length, y1: 0.5, y2: 0.5 }),
        ...slices.map((slice) => drawBar(slice, label)).filter(Boolean),
      );
      plot.setAttribute("aria-valuemin", 1);
      plot.setAttribute("aria-valuemax", slices.length);
    }
    const unreadable = slices.filter((slice) => slice.error).length;
    say(byId("charts-note"), unreadable ? `${unreadable} unreadable` : "");
    byId("charts-note").hidden = !unreadable;
    say(byId("charts-last"), slices.length ? `${slices.length} above` : "");
  }

  #mark() {
    const { slice, index } = this.reading;
    for (const [label, { bars, plot, value }] of this.#rows) {
      bars.querySelector(".here")?.setAttribute("x", index);
      plot.setAttribute("aria-valuenow", index + 1);
      plot.setAttribute("aria-valuetext", this.#describe(label, index));
      say(value, percent(slice?.probabilities?.[label]));
    }
  }

  #press() {
    for (const [label, { button }] of this.#rows) button.setAttribute("aria-pressed", this.overlay.isOn(label));
  }
}

function drawBar(slice, label) {
  if (slice.error) return buildSvg("rect", { class: "unreadable", x: slice.index, y: 0, width: 1, height: 1 });
  if (!slice.probabilities) return null;
  const height = Math.max(slice.probabilities[label], 0.02);
  return buildSvg("rect", { class: "bar", x: slice.index + 0.1, y: 1 - height, width: 0.8, height });
}
