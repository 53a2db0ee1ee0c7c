// What stands over the image: which slice, which window, which side is which.

import { byId, say } from "./dom.js";
import { percent, height } from "./words.js";
import { presetOf } from "./windowing.js";
import { pointOf } from "./pointer.js";

const REST_MS = 300;

/** Keeps the corners, the orientation marks and the spoken slice in step. */
export function showCorners(stage, reading) {
  for (const event of ["open", "close", "slice", "update"]) reading.addEventListener(event, () => showSlice(reading));
  for (const event of ["open", "close"]) reading.addEventListener(event, () => showMarks(reading));
  reading.addEventListener("slice", speaking(reading));
  reading.addEventListener("window", () => showWindow(reading));
  stage.addEventListener("place", () => say(byId("corner-zoom"), `${Math.round(100 * stage.view.zoom)} % of fit`));
  stage.element.addEventListener("pointermove", (event) => showProbe(stage.probe(pointOf(event, stage.element))));
  stage.element.addEventListener("pointerleave", () => showProbe(null));
  showWindow(reading);
}

function showSlice({ study, series, slice, slices, index }) {
  say(byId("corner-series"), series ? `${study.title} · ${series.title}` : (study?.title ?? ""));
  say(byId("corner-slice"), slice ? `Slice ${index + 1} / ${slices.length}` : "");
  say(byId("corner-height"), slice ? height(slice.z_mm) : "");
}

function showMarks({ series }) {
  for (const side of ["left", "right", "top", "bottom"]) say(byId(`mark-${side}`), series?.orientation?.[side] ?? "");
  say(byId("corner-orientation"), series && !series.orientation ? "Orientation unknown" : "");
}

function showWindow({ window }) {
  const preset = presetOf(window);
  say(byId("corner-window"), `C ${window.center}  W ${window.width}`);
  say(byId("corner-preset"), preset ? preset.name : "");
}

function showProbe(probe) {
  say(byId("corner-probe"), probe ? `${probe.hu} HU at ${probe.column}, ${probe.row}` : "");
}

function speaking(reading) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    // Spoken where the reader rests: a wheel would otherwise talk over itself.
    timer = setTimeout(() => say(byId("spoken"), sentence(reading)), REST_MS);
  };
}

function sentence({ slice, slices, index }) {
  if (!slice) return "";
  const place = `Slice ${index + 1} of ${slices.length}`;
  if (slice.error) return `${place} could not be read`;
  return slice.probabilities ? `${place}, any hemorrhage ${percent(slice.probabilities.any)}` : place;
}
