/**
 * Averages.
 * @module
 */

/**
 * The value in the middle, or the mean of the two in the middle.
 * @param values At least one number, in any order.
 * @throws RangeError There is none.
 */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median: there are no values");
  const sorted = values.toSorted((a, b) => a - b), n = sorted.length;
  return (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
}

/**
 * The geometric mean, which is what ratios are averaged by.
 * @param values Numbers above 0.
 * @returns The mean, or `undefined` if there are no values.
 */
export function geometricMean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
