/**
 * The program: from its arguments to its exit code.
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { KVM_API_VERSION } from "../mod.ts";
import { parseArguments } from "./arguments.ts";
import { CliError, EXIT, lineOf, usageError } from "./errors.ts";
import { infoHelp, mainHelp, runHelp } from "./help.ts";
import { type CliHost, print } from "./host.ts";
import { infoCommand } from "./info_command.ts";
import { MAIN_OPTIONS, parseInfo, parseRun } from "./options.ts";
import { runCommand } from "./run_command.ts";

/**
 * Runs the program. It never throws: what fails is one line on standard error.
 * @param args Its arguments.
 * @param host Its streams.
 * @returns Its exit code.
 */
export async function main(args: readonly string[], host: CliHost): Promise<number> {
  try {
    return await dispatch(args, host);
  } catch (error) {
    const known = error instanceof CliError;
    try {
      print(host.stderr, `kvm12: ${known ? error.message : `internal error: ${lineOf(error)}`}\n`);
    } catch {
      // standard error is gone too: the exit code is all that is left to say
    }
    return known ? error.exitCode : EXIT.ENGINE;
  }
}

function dispatch(args: readonly string[], host: CliHost): Promise<number> | number {
  const show = (text: string): number => {
    print(host.stdout, text);
    return EXIT.OK;
  };
  const [command, ...rest] = args;
  switch (command) {
    case "run": {
      const parsed = parseRun(rest);
      return parsed === "help" ? show(runHelp()) : runCommand(parsed, host);
    }
    case "info": {
      const parsed = parseInfo(rest);
      return parsed === "help" ? show(infoHelp()) : infoCommand(parsed, host);
    }
    case undefined:
      throw usageError("Cannot start: no command is given; see --help");
  }
  if (!command.startsWith("-")) throw usageError(`Cannot start: there is no command '${command}'; see --help`);
  const { values } = parseArguments(args, MAIN_OPTIONS);
  return show(values.has("help") ? mainHelp() : `kvm12 ${config.version} (KVM API ${KVM_API_VERSION})\n`);
}
