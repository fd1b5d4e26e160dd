/**
 * What the host processor answered, recorded and played back: the same test with the same seed asks the same questions, so
 * only the answers are kept. A question that differs from the recorded one is an error: the file must be made anew.
 *
 * The file is gzip of: for each batch mode, code, a checksum of the records in, the stray address + 1 or 0, and for each
 * record a patch from what went in to what came out. Numbers are LEB128.
 * @module
 */
import type { BatchReport, NativeBatch, NativeCpu } from "../host/native_cpu.ts";
import { STATE_SIZE } from "../host/state_block.ts";
import { Reader, through, Writer } from "./vectors.ts";

/** What answers: the host processor, or its recorded answers. */
export type Oracle = Pick<NativeCpu, "has16Bit" | "runBatch">;

function checksum(bytes: Uint8Array): number {
  let sum = 0x811c_9dc5;
  for (const b of bytes) sum = Math.imul(sum ^ b, 0x0100_0193);
  return sum >>> 0;
}

const recordSize = (batch: NativeBatch): number => STATE_SIZE + (batch.window?.length ?? 0);

/** Passes questions on and keeps the answers. */
export class Recorder implements Oracle {
  /** As of the processor. */
  readonly has16Bit: boolean;
  readonly #writer: Writer = new Writer();

  /** Asks `native`. */
  constructor(readonly native: NativeCpu) {
    this.has16Bit = native.has16Bit;
  }

  /** Runs and records. */
  runBatch(batch: NativeBatch): BatchReport {
    const report = this.native.runBatch(batch), w = this.#writer, size = recordSize(batch);
    w.number(batch.mode);
    w.block(batch.code);
    w.number(checksum(batch.inputs));
    w.number(report.stray === undefined ? 0 : report.stray + 1);
    for (let at = 0; at < batch.inputs.length; at += size) {
      w.patch(batch.inputs.subarray(at, at + size), batch.outputs.subarray(at, at + size));
    }
    return report;
  }

  /** The file. */
  finish(): Promise<Uint8Array> {
    return through(Uint8Array.from(this.#writer.bytes), new CompressionStream("gzip"));
  }
}

/** Gives recorded answers. */
export class Player implements Oracle {
  readonly has16Bit = true;
  readonly #reader: Reader;

  private constructor(bytes: Uint8Array) {
    this.#reader = new Reader(bytes);
  }

  /** Opens a file. */
  static async open(file: Uint8Array<ArrayBuffer>): Promise<Player> {
    return new Player(await through(file, new DecompressionStream("gzip")));
  }

  /**
   * Answers as the processor did.
   * @throws {Error} The question is another than the recorded one.
   */
  runBatch(batch: NativeBatch): BatchReport {
    const r = this.#reader, size = recordSize(batch);
    const same = r.more && r.number() === batch.mode && `${r.block()}` === `${batch.code}` &&
      r.number() === checksum(batch.inputs);
    if (!same) throw new Error("Cannot play the recorded answers back: the test asks something else; record it anew");
    const stray = r.number();
    batch.outputs.set(batch.inputs);
    let count = 0;
    for (let at = 0; at < batch.inputs.length; at += size, count++) r.patch(batch.outputs.subarray(at, at + size));
    return { count, stray: stray ? stray - 1 : undefined };
  }
}
