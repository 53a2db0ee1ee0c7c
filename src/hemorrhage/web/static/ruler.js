// Distances on a slice, in mm where the header gives a pixel spacing. Lines belong to the slice they were drawn on.

import { buildSvg, byId } from "./dom.js";
import { toImage, toStage } from "./view.js";

const SHORTEST = 2;

/** Returns how a length is said: in mm by the spacing between rows and between columns, in pixels without one. */
export function measure(from, to, spacingMm) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  if (!spacingMm) return `${Math.hypot(dx, dy).toFixed(1)} px (the header gives no pixel spacing)`;
  return `${Math.hypot(dx * spacingMm[1], dy * spacingMm[0]).toFixed(1)} mm`;
}

/** Draws lines by drag, or by keys: start() sets an end in the middle, move() moves the other, stop() leaves it. */
export class Ruler {
  #lines = new Map();
  #drawing = null;
  #svg = byId("ruler");

  constructor(stage, reading) {
    this.stage = stage;
    this.reading = reading;
    stage.addEventListener("draw", () => this.#draw());
    stage.addEventListener("place", () => this.#draw());
    for (const event of ["open", "close"]) reading.addEventListener(event, () => this.clear());
    reading.addEventListener("slice", () => this.stop());
  }

  /** Returns the line that is being drawn by keys, or null. */
  get drawing() {
    return this.#drawing;
  }

  /** Returns a drag that draws a line from a stage point. */
  drag(start) {
    if (!this.stage.shown) return { move() {} };
    const line = this.#begin(start);
    return {
      move: (point) => {
        line.to = toImage(point, this.stage.placed);
        this.#draw();
      },
      end: () => this.#drop(line),
    };
  }

  start() {
    const { width, height } = this.stage.size;
    if (this.stage.shown) this.#drawing = this.#begin({ x: width / 2, y: height / 2 });
    this.#draw();
  }

  move(dx, dy) {
    this.#drawing.to = { x: this.#drawing.to.x + dx, y: this.#drawing.to.y + dy };
    this.#draw();
  }

  stop() {
    if (this.#drawing) this.#drop(this.#drawing);
    this.#drawing = null;
  }

  clear() {
    this.#lines.clear();
    this.#drawing = null;
    this.#draw();
  }

  /** Returns the lengths on the slice shown, as said. */
  get lengths() {
    return this.#here.map((line) => measure(line.from, line.to, this.reading.series.pixel_spacing_mm));
  }

  get #here() {
    return (this.stage.shown && this.#lines.get(this.reading.index)) || [];
  }

  #begin(point) {
    const from = toImage(point, this.stage.placed);
    const line = { from, to: from };
    this.#lines.set(this.reading.index, [...this.#here, line]);
    return line;
  }

  #drop(line) {
    const short = Math.hypot(line.to.x - line.from.x, line.to.y - line.from.y) < SHORTEST;
    if (short) for (const [index, lines] of this.#lines) this.#lines.set(index, lines.filter((kept) => kept !== line));
    this.#draw();
  }

  #draw() {
    const { placed } = this.stage;
    this.#svg.replaceChildren(...this.#here.flatMap((line, at) => drawLine(line, placed, this.lengths[at])));
  }
}

function drawLine(line, placed, length) {
  const [from, to] = [toStage(line.from, placed), toStage(line.to, placed)];
  const ends = { x1: from.x, y1: from.y, x2: to.x, y2: to.y };
  const place = { x: Math.max(from.x, to.x) + 8, y: from.x > to.x ? from.y : to.y };
  return [
    buildSvg("line", { class: "ruler-edge", ...ends }),
    buildSvg("line", { class: "ruler-line", ...ends }),
    ...[from, to].map((end) => buildSvg("circle", { class: "ruler-end", cx: end.x, cy: end.y, r: 3.5 })),
    buildSvg("text", { class: "ruler-length", ...place }, length),
  ];
}
