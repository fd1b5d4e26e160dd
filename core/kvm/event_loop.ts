/**
 * Turns of the event loop for guests that run in it. Who asks for one goes to the end of a queue, of which each turn lets
 * one go on: however many processors run, timers and input wait for one slice and not for all of them.
 * @module
 */

const waiting: (() => void)[] = [];
let last = 0;

/** When the last turn of {@linkcode turn} was, on the clock of `performance.now()`, in milliseconds; 0 before the first. */
export function lastTurn(): number {
  return last;
}

/** Lets the event loop do what is due: timers, input, and the others that asked before. Keeps the process alive meanwhile. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(next);
  });
}

function next(): void {
  const resolve = waiting.shift();
  if (waiting.length > 0) setImmediate(next);
  last = performance.now();
  resolve?.();
}
