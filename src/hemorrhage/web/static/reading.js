// What is being read: the study, its series, the slice and the window. Everything on the page listens to it.

import { PRESETS, clampWindow } from "./windowing.js";

/** Returns the series of a study that was read, or null. */
export function chosenOf(study) {
  return study.series.find((series) => series.chosen) ?? null;
}

/** Says "open", "update", "close", "slice" and "window" as events; holds the present values. */
export class Reading extends EventTarget {
  study = null;
  series = null;
  index = 0;
  window = { center: PRESETS[0].center, width: PRESETS[0].width };

  /** Shows a series of a study from its middle slice on; `series` is null where nothing of the study can be shown. */
  open(study, series) {
    this.study = study;
    this.series = series;
    this.index = Math.floor(this.slices.length / 2);
    this.#say("open");
    this.#say("slice");
  }

  /** Takes news of the study that is open, such as probabilities that have come; slice and window stay. */
  update(study) {
    const series = study.series.find((one) => one.series === this.series?.series) ?? chosenOf(study);
    if (!this.slices.length) {
      this.open(study, series);
      return;
    }
    this.study = study;
    this.series = series;
    this.#say("update");
  }

  close() {
    this.study = null;
    this.series = null;
    this.index = 0;
    this.#say("close");
  }

  /** Goes to a slice; beyond an end is the end. */
  go(index) {
    const aim = Math.min(Math.max(Math.round(index), 0), this.slices.length - 1);
    if (!this.series || aim === this.index) return;
    this.index = aim;
    this.#say("slice");
  }

  step(slices) {
    this.go(this.index + slices);
  }

  /** Goes to the slice where a label is most probable. */
  goToPeak(label) {
    const known = this.slices.filter((slice) => slice.probabilities);
    if (!known.length) return;
    const higher = (best, slice) => (slice.probabilities[label] > best.probabilities[label] ? slice : best);
    this.go(known.reduce(higher).index);
  }

  setWindow(window) {
    this.window = clampWindow(window);
    this.#say("window");
  }

  get slices() {
    return this.series?.slices ?? [];
  }

  get slice() {
    return this.slices[this.index] ?? null;
  }

  #say(what) {
    this.dispatchEvent(new Event(what));
  }
}
