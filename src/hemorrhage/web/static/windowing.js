// From Hounsfield units to grey, the same arithmetic as hemorrhage.ct.windows.apply_window, rounding included.

/** The windows on the number keys, in HU. Stroke is the wider of two in use: 32/8 hardly exceeds the noise. */
export const PRESETS = [
  { name: "Brain", center: 40, width: 80 },
  { name: "Subdural", center: 80, width: 200 },
  { name: "Bone", center: 600, width: 2800 },
  { name: "Stroke", center: 40, width: 40 },
  { name: "Soft tissue", center: 40, width: 380 },
];

export const LIMITS = { center: [-1500, 4000], width: [1, 8000] };

const LOWEST_HU = -32768;
const LEVELS = 65536;

/** Returns the grey level, 0 to 255, of one HU: (HU - low) * 255 / width, clipped, rounded half to even. */
export function greyOf(hu, window) {
  const low = window.center - window.width / 2;
  return roundHalfToEven(Math.min(Math.max(((hu - low) * 255) / window.width, 0), 255));
}

function roundHalfToEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor + (floor % 2);
  return rest < 0.5 ? floor : floor + 1;
}

/** Returns opaque grey as one 32-bit RGBA word for every int16 value; entry 0 stands for -32768 HU. */
export function buildTable(window, table = new Uint32Array(LEVELS)) {
  const first = Math.max(Math.floor(window.center - window.width / 2), LOWEST_HU) - LOWEST_HU;
  const last = Math.min(Math.ceil(window.center + window.width / 2) - LOWEST_HU, LEVELS - 1);
  table.fill(toWord(0), 0, first);
  for (let entry = first; entry <= last; entry += 1) table[entry] = toWord(greyOf(entry + LOWEST_HU, window));
  table.fill(toWord(255), last + 1);
  return table;
}

function toWord(grey) {
  return ((255 << 24) | (grey << 16) | (grey << 8) | grey) >>> 0;
}

/** Writes the grey of int16 `pixelsHu` into `image`, an ImageData of as many pixels. */
export function paint(pixelsHu, table, image) {
  const words = new Uint32Array(image.data.buffer);
  for (let at = 0; at < pixelsHu.length; at += 1) words[at] = table[pixelsHu[at] - LOWEST_HU];
}

/** Returns the window after a drag: right widens it, down raises its center; wide windows move faster. */
export function dragWindow(start, dx, dy) {
  const speed = Math.max(start.width / 400, 0.25);
  return clampWindow({ center: start.center + dy * speed, width: start.width + dx * speed });
}

/** Returns the window in whole HU and within what a CT can show. */
export function clampWindow({ center, width }) {
  const clamp = (value, [low, high]) => Math.min(Math.max(Math.round(value), low), high);
  return { center: clamp(center, LIMITS.center), width: clamp(width, LIMITS.width) };
}

/** Returns the preset with these values, or undefined. */
export function presetOf(window) {
  return PRESETS.find((preset) => preset.center === window.center && preset.width === window.width);
}
