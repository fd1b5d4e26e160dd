/**
 * The options for the guest's screen.
 * @module
 */

import type { Arguments, OptionRow } from "./arguments.ts";
import { usageError } from "./errors.ts";

/** What is to be done with the screen. */
export interface ScreenOptions {
  /** The program ends with 0 once this is on the screen or in what COM1 has sent. */
  readonly untilText?: RegExp;
  /** Where the screen goes at the end, as PNG. */
  readonly screenshot?: string;
  /** Where its text goes. */
  readonly screenText?: string;
}

/** The options. */
export const SCREEN_OPTIONS: readonly OptionRow[] = [
  {
    name: "until-text",
    value: "REGEX",
    help: "ends the program with 0 once this is on the guest's screen or in what COM1 has sent",
  },
  { name: "screenshot", value: "PATH", help: "where the guest's screen is written at the end, as PNG" },
  { name: "screen-text", value: "PATH", help: "where the text on the guest's screen is written at the end" },
];

/**
 * Understands them.
 * @param parsed The command line.
 * @throws CliError The pattern is none.
 */
export function parseScreen({ values }: Arguments): ScreenOptions {
  const text = values.get("until-text")?.[0];
  let untilText: RegExp | undefined;
  try {
    untilText = text === undefined ? undefined : new RegExp(text, "m");
  } catch {
    throw usageError(`Cannot use '${text}' for --until-text: it is no regular expression`);
  }
  return { untilText, screenshot: values.get("screenshot")?.[0], screenText: values.get("screen-text")?.[0] };
}
