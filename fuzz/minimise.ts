/**
 * Makes a failing case smaller.
 * @module
 */

/** Attempts after which a case is small enough. */
const MOST_ATTEMPTS = 400;

/**
 * Leaves out whatever is not needed for a difference: halves, quarters, and so on to single parts, until none can go.
 * @param count Number of parts.
 * @param differs Whether the case still differs when only the parts marked true are kept.
 * @returns The parts to keep.
 */
export function minimise(count: number, differs: (kept: readonly boolean[]) => boolean): boolean[] {
  let kept: boolean[] = Array.from({ length: count }, () => true), attempts = 0;
  for (let size = Math.ceil(count / 2); size >= 1;) {
    let shrunk = false;
    for (let from = count - 1; from >= 0 && attempts < MOST_ATTEMPTS;) {
      const without = kept.slice();
      let gone = 0;
      for (; from >= 0 && gone < size; from--) {
        if (without[from]) gone++;
        without[from] = false;
      }
      if (gone === 0) break;
      attempts++;
      if (differs(without)) {
        kept = without;
        shrunk = true;
      }
    }
    if (attempts >= MOST_ATTEMPTS) break;
    if (size > 1) size = size >> 1;
    else if (!shrunk) break;
  }
  return kept;
}
