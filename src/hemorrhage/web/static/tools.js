// The row of buttons over the image: what the window is, what dragging does.

import { build, byId } from "./dom.js";
import { WHOLE } from "./view.js";
import { LIMITS, PRESETS, presetOf } from "./windowing.js";

/** What dragging does, by tool; the first letter is its key. */
export const TOOLS = {
  scroll: "Drag up or down to go through the slices",
  window: "Drag right for a wider window, down for a higher center",
  zoom: "Drag up or down to zoom",
  pan: "Drag to move the image",
  rule: "Drag to measure a distance",
};

/** Knows the chosen tool in `current`, and keeps the buttons and fields in step with the reading. */
export class Tools {
  current = "scroll";
  #buttons = new Map();
  #presets = new Map();
  #fields = { center: byId("window-center"), width: byId("window-width") };

  constructor(stage, reading, ruler) {
    this.stage = stage;
    this.reading = reading;
    byId("presets").replaceChildren(...PRESETS.map((preset, at) => this.#buildPreset(preset, at)));
    const tools = Object.keys(TOOLS).map((name) => this.#buildTool(name));
    byId("tools").replaceChildren(...tools, this.#buildFit(), clearing(ruler));
    for (const [name, field] of Object.entries(this.#fields)) this.#follow(name, field);
    reading.addEventListener("window", () => this.#showWindow());
    this.choose(this.current);
    this.#showWindow();
  }

  choose(name) {
    this.current = name;
    for (const [known, button] of this.#buttons) button.setAttribute("aria-pressed", known === name);
    this.stage.element.dataset.tool = name;
  }

  /** Shows the whole image again. */
  fit() {
    this.stage.setView(WHOLE);
  }

  #buildTool(name) {
    const text = name === "rule" ? "Ruler" : name[0].toUpperCase() + name.slice(1);
    const title = `${TOOLS[name]} (${name[0].toUpperCase()})`;
    const button = build("button", { type: "button", title, onclick: () => this.choose(name) }, text);
    this.#buttons.set(name, button);
    return button;
  }

  #buildFit() {
    return build("button", { type: "button", title: "Show the whole image (0)", onclick: () => this.fit() }, "Fit");
  }

  #buildPreset(preset, at) {
    const title = `Center ${preset.center}, width ${preset.width} HU (${at + 1})`;
    const choose = () => this.reading.setWindow(preset);
    const button = build("button", { type: "button", title, onclick: choose }, preset.name);
    this.#presets.set(preset, button);
    return button;
  }

  #follow(name, field) {
    [field.min, field.max] = LIMITS[name];
    field.addEventListener("change", () => {
      if (field.checkValidity()) this.reading.setWindow({ ...this.reading.window, [name]: field.valueAsNumber });
      else this.#showWindow();
    });
  }

  #showWindow() {
    const { window } = this.reading;
    for (const [name, field] of Object.entries(this.#fields)) field.value = window[name];
    const chosen = presetOf(window);
    for (const [preset, button] of this.#presets) button.setAttribute("aria-pressed", preset === chosen);
  }
}

function clearing(ruler) {
  const clear = () => ruler.clear();
  return build("button", { type: "button", title: "Clear the rulers (Delete)", onclick: clear }, "Clear");
}
