// Saliency upon the slice: one colour a label, as strong as the saliency times what the label's slider says.

import { build, byId, say } from "./dom.js";
import { Slices } from "./slices.js";
import { getSaliency } from "./api.js";
import { ranked } from "./words.js";

/** Red, green and blue a label, in the order of /api/about; told apart by people who see few colours too. */
export const COLOURS = [
  [230, 159, 0],
  [86, 180, 233],
  [47, 185, 138],
  [217, 207, 74],
  [232, 80, 91],
  [197, 139, 208],
];
const WHEN_SWITCHED_ON = 60;
const REST_MS = 120;

/** Returns the RGBA bytes of one label's layer: its colour everywhere, the saliency as alpha. */
export function colour(saliency, [red, green, blue]) {
  const bytes = new Uint8ClampedArray(4 * saliency.length);
  for (let at = 0; at < saliency.length; at += 1) bytes.set([red, green, blue, saliency[at]], 4 * at);
  return bytes;
}

/** The sliders and the layer; says "change" as an event when a label goes on or off. */
export class Overlay extends EventTarget {
  #opacities;
  #canvas = byId("overlay");
  #inputs = new Map();
  #slices;
  #timer = null;

  constructor(stage, reading, about) {
    super();
    this.stage = stage;
    this.reading = reading;
    this.labels = about.labels;
    this.#opacities = new Map(about.labels.map((label) => [label, 0]));
    this.#slices = new Slices((series, place) => getSaliency(series, ...place.split(" ")));
    byId("saliency").hidden = !about.saliency_methods.length;
    say(byId("saliency-note"), about.saliency_note ?? "");
    this.#buildMethods(about.saliency_methods);
    byId("saliency-sliders").replaceChildren(...about.labels.map((label, at) => this.#buildSlider(label, at)));
    byId("saliency-off").addEventListener("click", () => this.labels.forEach((label) => this.set(label, 0)));
    stage.addEventListener("draw", () => this.#later());
    reading.addEventListener("close", () => this.#slices.clear());
  }

  isOn(label) {
    return this.#opacities.get(label) > 0;
  }

  /** Sets a label's opacity, 0 to 100. */
  set(label, opacity) {
    this.#opacities.set(label, opacity);
    const { slider, value } = this.#inputs.get(label);
    slider.value = opacity;
    say(value, opacity ? `${opacity} %` : "off");
    this.dispatchEvent(new Event("change"));
    this.#draw();
  }

  toggle(label) {
    this.set(label, this.isOn(label) ? 0 : WHEN_SWITCHED_ON);
  }

  /** Switches the label that is most probable on the slice shown. */
  toggleLikeliest() {
    const { probabilities } = this.reading.slice ?? {};
    this.toggle(probabilities ? ranked(probabilities)[0][0] : this.labels.at(-1));
  }

  #buildMethods(methods) {
    const select = byId("saliency-method");
    select.replaceChildren(...methods.map((method) => build("option", { value: method }, method)));
    select.addEventListener("change", () => this.#draw());
  }

  #buildSlider(label, at) {
    const id = `saliency-${at}`;
    const slider = build("input", { type: "range", id, min: 0, max: 100, step: 5, value: 0 });
    const value = build("output", { for: id }, "off");
    slider.addEventListener("input", () => this.set(label, Number(slider.value)));
    this.#inputs.set(label, { slider, value });
    return build("div", { class: `slider label-${at}` }, build("label", { for: id }, swatch(), label), slider, value);
  }

  #later() {
    this.#wipe();
    clearTimeout(this.#timer);
    // A saliency map is work for the server: it is asked for where the reader rests.
    this.#timer = setTimeout(() => this.#draw(), REST_MS);
  }

  async #draw() {
    const on = this.stage.shown ? this.labels.filter((label) => this.isOn(label)) : [];
    const asked = { slice: this.stage.shown, state: this.#state() };
    if (!on.length) return this.#wipe();
    this.#tell("Computing the saliency of this slice.");
    try {
      const maps = await Promise.all(on.map((label) => this.#load(label)));
      if (this.stage.shown !== asked.slice || this.#state() !== asked.state) return;
      this.#blend(on, maps);
      this.#tell("");
    } catch (error) {
      this.#wipe();
      this.#tell(`No saliency: ${error.message}`);
    }
  }

  #state() {
    return JSON.stringify([[...this.#opacities], byId("saliency-method").value]);
  }

  #load(label) {
    const { series, index } = this.reading;
    return this.#slices.load(series.series, `${index} ${label} ${byId("saliency-method").value}`);
  }

  #blend(labels, maps) {
    this.#wipe();
    const context = this.#canvas.getContext("2d");
    labels.forEach((label, at) => {
      const { rows, columns, saliency } = maps[at];
      const layer = new OffscreenCanvas(columns, rows);
      const bytes = colour(saliency, COLOURS[this.labels.indexOf(label) % COLOURS.length]);
      layer.getContext("2d").putImageData(new ImageData(bytes, columns, rows), 0, 0);
      context.globalAlpha = this.#opacities.get(label) / 100;
      context.drawImage(layer, 0, 0, this.#canvas.width, this.#canvas.height);
    });
    context.globalAlpha = 1;
  }

  #wipe() {
    this.#canvas.getContext("2d").clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#tell("");
  }

  #tell(text) {
    say(byId("saliency-message"), text);
  }
}

/** Returns the small square in a label's colour. */
export function swatch() {
  return build("span", { class: "swatch", "aria-hidden": "true" });
}
