// Slices that have come, and those that are likely to be wanted next.

const MOST_BYTES = 200e6;
const AHEAD = 12;
const AT_A_TIME = 2;

/** Keeps what `fetchSlice(series, index)` gave, the longest unused thrown out first. */
export class Slices {
  #fetch;
  #kept = new Map();
  #coming = new Map();
  #wanted = [];
  #running = 0;

  constructor(fetchSlice) {
    this.#fetch = fetchSlice;
  }

  /** Returns a slice that is here, or undefined. */
  get(series, index) {
    const key = `${series}/${index}`;
    const found = this.#kept.get(key);
    if (found) this.#keep(key, found);
    return found;
  }

  /** Returns a promise of a slice; one that failed is asked for anew the next time. */
  load(series, index) {
    const key = `${series}/${index}`;
    const found = this.get(series, index);
    if (found) return Promise.resolve(found);
    if (!this.#coming.has(key)) this.#coming.set(key, this.#ask(key, series, index));
    return this.#coming.get(key);
  }

  /** Asks for the neighbours of a slice, nearest first, in place of those wanted before. */
  prefetch(series, index, isReadable) {
    const offsets = Array.from({ length: 2 * AHEAD }, (_, at) => (at % 2 ? -1 : 1) * (Math.floor(at / 2) + 1));
    this.#wanted = offsets
      .map((offset) => index + offset)
      .filter((near) => isReadable(near) && !this.#kept.has(`${series}/${near}`))
      .map((near) => [series, near]);
    this.#run();
  }

  clear() {
    this.#kept.clear();
    this.#coming.clear();
    this.#wanted = [];
  }

  async #ask(key, series, index) {
    const promise = this.#fetch(series, index);
    try {
      const slice = await promise;
      if (this.#coming.has(key)) this.#keep(key, slice);
      return slice;
    } finally {
      this.#coming.delete(key);
    }
  }

  async #run() {
    while (this.#running < AT_A_TIME && this.#wanted.length) {
      const [series, index] = this.#wanted.shift();
      this.#running += 1;
      // What fails here is asked for again, and told, when it is to be shown.
      this.load(series, index)
        .catch(() => null)
        .finally(() => {
          this.#running -= 1;
          this.#run();
        });
    }
  }

  #keep(key, slice) {
    this.#kept.delete(key);
    this.#kept.set(key, slice);
    let held = 0;
    for (const { buffer } of this.#kept.values()) held += buffer.byteLength;
    for (const [oldest, { buffer }] of this.#kept) {
      if (held <= MOST_BYTES) break;
      this.#kept.delete(oldest);
      held -= buffer.byteLength;
    }
  }
}
