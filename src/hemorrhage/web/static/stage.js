// The stage: one slice as a canvas of its own pixels, placed and scaled by CSS, with layers of the same size upon it.

import { byId, say } from "./dom.js";
import { WHOLE, aspectOf, panBy, place, toImage, zoomAt } from "./view.js";
import { buildTable, paint } from "./windowing.js";

/** Shows the slice of a Reading; says "draw" with a new slice and "place" with a new zoom or shift, as events. */
export class Stage extends EventTarget {
  view = WHOLE;
  shown = null;
  element = byId("stage");
  #canvas = byId("slice");
  #layers = [this.#canvas, byId("overlay")];
  #context = this.#canvas.getContext("2d");
  #table = null;
  #image = null;
  #queued = false;

  constructor(reading, slices) {
    super();
    this.reading = reading;
    this.slices = slices;
    reading.addEventListener("open", () => this.setView(WHOLE));
    reading.addEventListener("slice", () => this.#show());
    reading.addEventListener("window", () => this.#rewindow());
    reading.addEventListener("close", () => this.#clear("No study is open. Add one, or choose it from the worklist."));
    new ResizeObserver(() => this.#arrange()).observe(this.element);
  }

  /** Returns the stage's size in CSS pixels. */
  get size() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  /** Returns where the image lies, or null where none is shown. */
  get placed() {
    return this.shown && place(this.view, this.size, { ...this.shown, aspect: this.aspect });
  }

  get aspect() {
    return aspectOf(this.reading.series?.pixel_spacing_mm);
  }

  setView(view) {
    this.view = view;
    this.#arrange();
  }

  zoom(factor, point = { x: this.size.width / 2, y: this.size.height / 2 }) {
    this.setView(zoomAt(this.view, factor, point, this.size));
  }

  pan(dx, dy) {
    this.setView(panBy(this.view, dx, dy, this.size));
  }

  /** Returns the HU under a stage point with its place, or null beside the image. */
  probe(point) {
    if (!this.shown) return null;
    const { x, y } = toImage(point, this.placed);
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= this.shown.columns || row >= this.shown.rows) return null;
    return { hu: this.shown.pixelsHu[row * this.shown.columns + column], column, row };
  }

  async #show() {
    const { series, slice, index } = this.reading;
    if (!slice) return this.#clear(this.reading.study.error ?? "This study is still being read.");
    if (slice.error) return this.#clear(`Slice ${index + 1} could not be read: ${slice.error}`);
    const ready = this.slices.get(series.series, index);
    if (ready) this.#take(ready);
    else await this.#fetch(series.series, index);
    const readable = (near) => this.reading.slices[near] && !this.reading.slices[near].error;
    if (this.#isAt(series.series, index)) this.slices.prefetch(series.series, index, readable);
  }

  async #fetch(series, index) {
    // The last slice goes at once: an image never stands under another slice's number.
    this.#clear("");
    this.element.setAttribute("aria-busy", "true");
    try {
      const slice = await this.slices.load(series, index);
      if (this.#isAt(series, index)) this.#take(slice);
    } catch (error) {
      if (this.#isAt(series, index)) this.#clear(`Slice ${index + 1} could not be loaded: ${error.message}`);
    }
  }

  #isAt(series, index) {
    return this.reading.series?.series === series && this.reading.index === index;
  }

  #take(slice) {
    const resized = slice.columns !== this.#canvas.width || slice.rows !== this.#canvas.height;
    this.shown = slice;
    if (resized) for (const layer of this.#layers) [layer.width, layer.height] = [slice.columns, slice.rows];
    this.element.removeAttribute("aria-busy");
    this.element.classList.add("has-image");
    say(byId("stage-message"), "");
    this.#paint();
    this.#arrange();
    this.dispatchEvent(new Event("draw"));
  }

  #clear(message) {
    this.shown = null;
    this.element.removeAttribute("aria-busy");
    this.element.classList.remove("has-image");
    say(byId("stage-message"), message);
    this.dispatchEvent(new Event("draw"));
  }

  #rewindow() {
    this.#table = null;
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame(() => {
      this.#queued = false;
      if (this.shown) this.#paint();
    });
  }

  #paint() {
    this.#table ??= buildTable(this.reading.window);
    const { columns, rows, pixelsHu } = this.shown;
    if (this.#image?.width !== columns || this.#image?.height !== rows) this.#image = new ImageData(columns, rows);
    paint(pixelsHu, this.#table, this.#image);
    this.#context.putImageData(this.#image, 0, 0);
  }

  #arrange() {
    const { placed } = this;
    if (!placed) return;
    const { left, top, scaleX, scaleY } = placed;
    for (const layer of this.#layers) {
      layer.style.transform = `translate(${left}px, ${top}px) scale(${scaleX}, ${scaleY})`;
    }
    this.dispatchEvent(new Event("place"));
  }
}
