// How numbers are said.

/** Returns a probability as whole percent; what is near an end but not there says so. */
export function percent(probability) {
  if (probability === null || probability === undefined) return "–";
  const rounded = Math.round(100 * probability);
  if (rounded === 0 && probability > 0) return "<1 %";
  if (rounded === 100 && probability < 1) return ">99 %";
  return `${rounded} %`;
}

/** Returns a count with its noun: 1 slice, 34 slices. */
export function count(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

/** Returns bytes in the largest unit that fits, counted as the server counts them: 512 kB, 1.5 GB. */
export function bytes(number) {
  for (const [unit, size] of [["GB", 1024 ** 3], ["MB", 1024 ** 2], ["kB", 1024]]) {
    if (number >= size) return `${Number((number / size).toPrecision(3))} ${unit}`;
  }
  return count(number, "byte");
}

/** Returns a height along the body with its sign, in mm; empty where the header has none. */
export function height(zMm) {
  return zMm === null || zMm === undefined ? "" : `z ${zMm > 0 ? "+" : ""}${zMm.toFixed(1)} mm`;
}

/** Returns the labels with their probabilities, highest first; `any` is left out. */
export function ranked(probabilities) {
  return Object.entries(probabilities)
    .filter(([label]) => label !== "any")
    .sort((one, other) => other[1] - one[1]);
}
