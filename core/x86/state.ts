/**
 * The guest processor's state as it lies in linear memory (memory 0 of every emitted module, one memory a vCPU): the
 * architectural state, the software TLBs and the caches that emitted code reads. All architectural state is here, so
 * that a copy of `[0, STATE_SIZE)` is a snapshot.
 * @module
 */

/** General registers, 8 bytes each, in encoding order: RAX RCX RDX RBX RSP RBP RSI RDI R8 … R15. */
export const GPR = 0x000;
/** A register that reads as zero: the absent base or index of an address. */
export const ZERO = 0x080;
/** Flags, part one: the last result, sign-extended to 64 bits. See flags.ts. */
export const FRES = 0x088;
/** Flags, part two: carry vector and corrections. See flags.ts. */
export const FAUX = 0x090;
/** RFLAGS without the six status flags, i64; bit 1 is always set. */
export const RFLAGS = 0x098;
/** RIP of the first byte of the current code page: RIP = CODE_BASE + offset in page. */
export const CODE_BASE = 0x0a0;
/** RIP where the processor stands, exact whenever emitted code is not running. */
export const RIP = 0x0a8;
/** Instruction budget, biased by the current record's place in its run: i32. */
export const BUDGET = 0x0b0;
/** Address of the TLB of the current privilege view: i32. */
export const TLB_VIEW = 0x0b4;
/** Decode key: mode bits (mode.ts) and the epoch above them: i32. */
export const KEY = 0x0b8;
/** Most iterations that a REP instruction makes before the budget is looked at: i32. */
export const REP_LIMIT = 0x0bc;
/** +1 or −1 by RFLAGS.DF: i64. */
export const STEP = 0x0c0;
/** Nonzero when the run loop must look at something before the next instruction: i32. */
export const ATTENTION = 0x0c8;
/** Where slow loads leave and slow stores find their data, 64 bytes. */
export const SCRATCH = 0x0d0;
/** Operands and results of TypeScript helpers: 6 × i64. */
export const ARG = 0x110;
/** CR0, i64. */
export const CR0 = 0x140;
/** CR2, i64. */
export const CR2 = 0x148;
/** CR3, i64. */
export const CR3 = 0x150;
/** CR4, i64. */
export const CR4 = 0x158;
/** CR8, i64. */
export const CR8 = 0x160;
/** EFER, i64. */
export const EFER = 0x168;
/** GDTR base, i64; limit, u32 at +8. */
export const GDTR = 0x170;
/** IDTR base, i64; limit, u32 at +8. */
export const IDTR = 0x180;
/** DR0 … DR7, 8 bytes each. */
export const DR = 0x190;
/** APIC base MSR, i64. */
export const APIC_BASE = 0x1d0;
/** XCR0, i64. */
export const XCR0 = 0x1d8;

/** Segments: ES CS SS DS FS GS LDTR TR and the flat one, each SEG_SIZE bytes. */
export const SEG = 0x200;
/** Bytes of a segment's state. */
export const SEG_SIZE = 64;
/** In a segment: base, i64. */
export const SEG_BASE = 0;
/** In a segment: first valid offset, i64. */
export const SEG_LOW = 8;
/** In a segment: last offset that may be read, i64; −1 if none. */
export const SEG_READ = 16;
/** In a segment: last offset that may be written, i64; −1 if none. */
export const SEG_WRITE = 24;
/** In a segment: limit in bytes, u32. */
export const SEG_LIMIT = 32;
/** In a segment: selector, u16. */
export const SEG_SELECTOR = 36;
/**
 * In a segment: attributes, u32, as in the descriptor's second doubleword shifted right by 8: type 0-3, S 4, DPL 5-6,
 * P 7, AVL 12, L 13, D/B 14, G 15; bit 16: unusable.
 */
export const SEG_ATTR = 40;

/** Segment register numbers in encoding order, then LDTR, TR, and FLAT: a segment with base 0 and no limit. */
export const ES = 0, CS = 1, SS = 2, DS = 3, FS = 4, GS = 5, LDTR = 6, TR = 7, FLAT = 8;

/** x87 registers R0 … R7 (physical, not relative to TOP), 16 bytes each: significand u64, sign and exponent u16. */
export const FPR = 0x440;
/** x87 control word, u16 at +0; status word without TOP at +4; TOP at +8, all i32; tag word (2 bits each) at +12. */
export const FCW = 0x4c0;
/** x87 status word without TOP, i32. */
export const FSW = 0x4c4;
/** x87 TOP, i32 0..7. */
export const FTOP = 0x4c8;
/** x87 empty bits, i32: bit n set means R n is empty. */
export const FEMPTY = 0x4cc;
/** Last x87 opcode, 11 bits, i32. */
export const FOP = 0x4d0;
/** Selectors of the last x87 instruction (low 16 bits) and operand (high 16 bits), i32. */
export const FSEL = 0x4d4;
/** Offset of the last x87 instruction, i64. */
export const FIP = 0x4d8;
/** Offset of the last x87 operand, i64. */
export const FDP = 0x4e0;
/** MXCSR, i32. */
export const MXCSR = 0x4e8;
/** Floating-point exceptions that soft-float raised, i32. */
export const FP_FLAGS = 0x4ec;
/**
 * Nonzero if FDP and FOP follow every x87 instruction, as on older processors; zero if only those with an unmasked
 * exception. Derived from CPUID, i32.
 */
export const FPU_FOLLOWS = 0x4f0;
/** Not zero where x87 selectors are stored as zero: CPUID has fpu_cs_ds. Derived, i32. */
export const FPU_FLAT = 0x4f4;
/** XMM0 … XMM15, 16 bytes each. */
export const XMM = 0x500;
/** Upper halves of YMM0 … YMM15, 16 bytes each. */
export const YMMH = 0x600;

/** MSRs that hold a plain value, i64 each, by the order of msr.ts. */
export const MSR = 0x700;

/** Size of the snapshot-able state. */
export const STATE_SIZE = 0xc00;

/** Scratch for TypeScript and soft-float, not state: 0x400 bytes. */
export const WORK = 0xc00;

/** The software TLBs: one for each privilege view, TLB_ENTRIES entries of 32 bytes. */
export const TLB = 0x1000;
/** Entries of one TLB view. */
export const TLB_ENTRIES = 2048;
/** In a TLB entry: linear page that may be read, i64, or 1 for none. */
export const TLB_READ = 0;
/** In a TLB entry: linear page that may be written without further ado, i64, or 1 for none. */
export const TLB_WRITE = 8;
/** In a TLB entry: what to add to the low 32 bits of a linear address to get its place in guest memory, i32. */
export const TLB_ADDEND = 16;
/** In a TLB entry: WALKED_GLOBAL, WALKED_LARGE, WALKED_HUGE of paging.ts, i32. */
export const TLB_KIND = 20;
/** Bytes of one view. */
export const TLB_SIZE = TLB_ENTRIES * 32;
/** Views: supervisor, supervisor under SMAP, user, user under alignment checks, which is never filled. */
export const TLB_VIEWS = 4;

/** Jump cache: linear address i64, key i32, record i32. */
export const JUMP_CACHE = TLB + TLB_VIEWS * TLB_SIZE;
/** Entries of the jump cache. */
export const JUMP_ENTRIES = 4096;

/** A copy of the state, for helpers that fault. */
export const SNAPSHOT = JUMP_CACHE + JUMP_ENTRIES * 16;

/** Decoded records begin here. */
export const RECORDS = 0x60000;

/** Size of a decoded record. */
export const RECORD_SIZE = 32;
/** In a record: handler's index in the table, i32. */
export const R_HANDLER = 0;
/** In a record: offset of the instruction in its page, u16 (4096: the first byte of the next page). */
export const R_OFFSET = 4;
/** In a record: length of the instruction, u8. */
export const R_LENGTH = 6;
/** In a record: place in its run, u8. */
export const R_SEQ = 7;
/** In a record: state address of the register in ModRM.reg (or of the opcode), u16. */
export const R_REG = 8;
/** In a record: state address of the register in ModRM.rm, u16. */
export const R_RM = 10;
/** In a record: state address of the base register, u16. */
export const R_BASE = 12;
/** In a record: state address of the index register, u16. */
export const R_INDEX = 14;
/** In a record: displacement, i32; of a relative branch: the distance. */
export const R_DISP = 16;
/** In a record: state address of the segment, u16. */
export const R_SEG = 20;
/** In a record: log2 of the index scale, u8. */
export const R_SCALE = 22;
/** In a record: instructions of the whole run that this record is in, u8. */
export const R_RUN = 23;
/** In a record of a VEX-encoded instruction: state address of the register in VEX.vvvv, i32. */
export const R_VVVV = 28;
/** In a record: immediate, i64. Of a branch: target record i32, then budget change i32 at +4. */
export const R_IMM = 24;
