// What keys do while the image or nothing has the focus; the same list fills the page's table of keys.

import { TOOLS } from "./tools.js";
import { PRESETS } from "./windowing.js";

const SMALL_MOVE = 1;
const LARGE_MOVE = 10;
const PAN = 40;
const ZOOM = 1.25;
const PAGE = 5;

/** Returns the keys, what they do in words, and what they run. */
export function listKeys({ reading, stage, ruler, overlay, tools, worklist, help }) {
  return [
    entry("Down, Right", "next slice, upwards in the head", ["ArrowDown", "ArrowRight"], () => reading.step(1)),
    entry("Up, Left", "slice before", ["ArrowUp", "ArrowLeft"], () => reading.step(-1)),
    entry("Page Down, Page Up", "five slices on, five back", ["PageDown"], () => reading.step(PAGE)),
    entry("", "", ["PageUp"], () => reading.step(-PAGE)),
    entry("Home, End", "lowest slice, highest slice", ["Home"], () => reading.go(0)),
    entry("", "", ["End"], () => reading.go(Infinity)),
    entry("M", "slice where any hemorrhage is most probable", ["m"], () => reading.goToPeak("any")),
    ...PRESETS.map((preset, at) => presetEntry(preset, at, reading)),
    entry("[ ]", "narrower, wider window", ["["], () => widen(reading, 1 / 1.1)),
    entry("", "", ["]"], () => widen(reading, 1.1)),
    entry(", .", "lower, higher center of the window", [","], () => lift(reading, -1)),
    entry("", "", ["."], () => lift(reading, 1)),
    entry("+ -", "zoom in, zoom out", ["+", "="], () => stage.zoom(ZOOM)),
    entry("", "", ["-"], () => stage.zoom(1 / ZOOM)),
    entry("0", "whole image", ["0"], () => tools.fit()),
    ...panEntries(stage),
    ...Object.entries(TOOLS).map(([name, does]) => toolEntry(name, does, tools)),
    entry("Enter", "with the ruler: begin a line in the middle, end it; arrows move its end", ["Enter"], () =>
      ruler.drawing ? ruler.stop() : tools.current === "rule" && ruler.start(),
    ),
    entry("Delete", "clear the rulers", ["Delete", "Backspace"], () => ruler.clear()),
    entry("O", "saliency of the slice's most probable label, on or off", ["o"], () => overlay.toggleLikeliest()),
    entry("N, B", "next study, study before", ["n"], () => worklist.step(1)),
    entry("", "", ["b"], () => worklist.step(-1)),
    entry("?", "this list", ["?"], () => help()),
  ];
}

function entry(shown, does, keys, run, shift = false) {
  return { shown, does, keys, run, shift };
}

function presetEntry(preset, at, reading) {
  const does = `${preset.name.toLowerCase()} window, ${preset.center}/${preset.width}`;
  return entry(`${at + 1}`, does, [`${at + 1}`], () => reading.setWindow(preset));
}

function toolEntry(name, does, tools) {
  return entry(name[0].toUpperCase(), does[0].toLowerCase() + does.slice(1), [name[0]], () => tools.choose(name));
}

function panEntries(stage) {
  const moves = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] };
  return Object.entries(moves).map(([key, [dx, dy]], at) =>
    entry(at ? "" : "Shift + arrows", at ? "" : "move the image", [key], () => stage.pan(dx, dy), true),
  );
}

function widen(reading, factor) {
  const { center, width } = reading.window;
  const wider = Math.round(width * factor);
  reading.setWindow({ center, width: wider === width ? width + Math.sign(factor - 1) : wider });
}

function lift(reading, direction) {
  const { center, width } = reading.window;
  reading.setWindow({ center: center + direction * Math.max(Math.round(width / 20), 1), width });
}

/** Listens to the keys of listKeys wherever typing is not meant for a field, a side panel or a dialog. */
export function followKeys(keys, ruler) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !isForImage(event.target)) return;
    if (ruler.drawing && moveRuler(event, ruler)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const shift = event.shiftKey && key.startsWith("Arrow");
    const found = keys.find((known) => known.keys.includes(key) && known.shift === shift);
    if (!found || (isButton(event.target) && ["Enter", " "].includes(event.key))) return;
    event.preventDefault();
    found.run();
  });
}

function isForImage(target) {
  if (document.querySelector("dialog[open]") || target.matches("input, select, textarea")) return false;
  return target === document.body || target.closest("#viewer") !== null;
}

function isButton(target) {
  return target.matches("button, a, [role=slider]");
}

function moveRuler(event, ruler) {
  const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!directions[event.key]) return false;
  event.preventDefault();
  const pixels = event.shiftKey ? LARGE_MOVE : SMALL_MOVE;
  ruler.move(...directions[event.key].map((step) => step * pixels));
  return true;
}
