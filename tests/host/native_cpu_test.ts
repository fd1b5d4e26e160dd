import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  backgroundByte,
  CODE_ADDRESS,
  CODE_SIZE,
  DATA_ADDRESS,
  DATA_SIZE,
  DEFAULT_CODE_OFFSET,
  READ_ONLY_ADDRESS,
  READ_ONLY_SIZE,
} from "./memory_map.ts";
import { NativeCpu, type NativeMode, type NativeRequest, type NativeResult } from "./native_cpu.ts";
import { FLAG, STATE_SIZE, StateBlock, STATUS_FLAGS, TRAP } from "./state_block.ts";

const START = CODE_ADDRESS + DEFAULT_CODE_OFFSET;
const MODES: readonly NativeMode[] = [64, 32, 16];
const reason = NativeCpu.unavailable();

function nativeTest(name: string, fn: (cpu: NativeCpu) => void): void {
  Deno.test({
    name: reason === undefined ? name : `${name} (skipped: ${reason})`,
    ignore: reason !== undefined,
    fn: () => {
      using cpu = NativeCpu.open();
      fn(cpu);
    },
  });
}

function test16(name: string, fn: (cpu: NativeCpu) => void): void {
  nativeTest(name, (cpu) => cpu.has16Bit ? fn(cpu) : console.log("skipped: the kernel refuses 16-bit segments"));
}

function run(cpu: NativeCpu, mode: NativeMode, code: number[], request: Partial<NativeRequest> = {}): NativeResult {
  const result = cpu.run({ mode, code: new Uint8Array(code), ...request });
  assertEquals(result.stray, undefined);
  return result;
}

/** What happened in one line: trap, error code, RIP from the start of the code, CR2. */
function outcome({ state }: NativeResult, start: number = START): [number, number, number, number] {
  return [state.trap, state.error, Number(state.get("rip")) - start, Number(state.get("cr2"))];
}

function low(value: bigint, bits: number): bigint {
  return BigInt.asUintN(bits, value);
}

function words(...values: number[]): Uint8Array {
  return new Uint8Array(new Uint16Array(values).buffer);
}

nativeTest("NativeCpu.run() ADD sets result and flags in every mode", (cpu) => {
  for (const mode of MODES) {
    if (mode === 16 && !cpu.has16Bit) continue;
    const { state } = run(cpu, mode, [0x00, 0xd8], { registers: { rax: 0x17fn, rbx: 0x01n } }); // add al, bl
    assertEquals(state.gpr("rax"), 0x180n);
    assertEquals(state.flags & STATUS_FLAGS, FLAG.of | FLAG.sf | FLAG.af);
    assertEquals(state.trap, TRAP.none);
  }
});

nativeTest("NativeCpu.run() loads and stores every register", (cpu) => {
  const registers: NativeRequest["registers"] = {};
  const names = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(
    " ",
  ) as (keyof typeof registers)[];
  names.forEach((name, index) => registers[name] = 0x1122334455667700n + BigInt(index));
  const flags = STATUS_FLAGS | FLAG.df | FLAG.ac | FLAG.id | FLAG.nt;
  for (const landing of ["jump", "int3"] as const) {
    const { state } = run(cpu, 64, [0x90], {
      registers,
      flags,
      landing,
      set: (state) => {
        for (let i = 0; i < 8; i++) state.st(i).fill(0x80 + i);
        for (let i = 0; i < 16; i++) state.xmm(i).fill(0x10 + i);
        for (let i = 0; i < 16; i++) state.ymmHigh(i).fill(0x20 + i);
        state.setX87("ftw", 0xff);
        state.setX87("fcw", 0x27f);
        state.mxcsr = 0xbfa1;
        state.set("fsBase", 0x7000n);
        state.set("gsBase", 0x12345000n);
      },
    });
    names.forEach((name) => assertEquals(state.gpr(name), registers[name], name));
    assertEquals(state.flags, flags | 0x202);
    for (let i = 0; i < 8; i++) assertEquals(state.st(i), new Uint8Array(10).fill(0x80 + i));
    for (let i = 0; i < 16; i++) {
      assertEquals(state.xmm(i), new Uint8Array(16).fill(0x10 + i));
      if (cpu.hasAvx) assertEquals(state.ymmHigh(i), new Uint8Array(16).fill(0x20 + i));
    }
    assertEquals([state.x87("ftw"), state.x87("fcw"), state.mxcsr], [0xff, 0x27f, 0xbfa1]);
    assertEquals([state.get("fsBase"), state.get("gsBase")], [0x7000n, 0x12345000n]);
    assertEquals([state.selector("cs"), state.selector("ss"), state.selector("ds")], [0x33, 0x2b, 0]);
    assertEquals(outcome({ state, data: state.bytes, stray: undefined }), [TRAP.none, 0, 1, 0]);
  }
});

nativeTest("NativeCpu.run() reports #DE, #UD, #BP, #DB and #GP with the saved RIP", (cpu) => {
  assertEquals(outcome(run(cpu, 64, [0x48, 0xf7, 0xf3])), [0, 0, 0, 0]); // div rbx, by 0
  assertEquals(outcome(run(cpu, 64, [0x0f, 0x0b])), [6, 0, 0, 0]); // ud2
  assertEquals(outcome(run(cpu, 64, [0xcc])), [3, 0, 1, 0]); // int3
  assertEquals(outcome(run(cpu, 64, [0xcd, 0x03])), [3, 0, 2, 0]); // int 3
  assertEquals(outcome(run(cpu, 64, [0xf1])), [1, 0, 1, 0]); // int1
  assertEquals(outcome(run(cpu, 64, [0xcd, 0x30])), [13, 0x30 * 8 + 2, 0, 0]); // int 30h
  assertEquals(outcome(run(cpu, 64, [0xf4])), [13, 0, 0, 0]); // hlt
  // mov rax, [rbx] at a non-canonical address
  assertEquals(outcome(run(cpu, 64, [0x48, 0x8b, 0x03], { registers: { rbx: 1n << 63n } })), [13, 0, 0, 0]);
  // mov rax, [rsp] likewise
  assertEquals(outcome(run(cpu, 64, [0x48, 0x8b, 0x04, 0x24], { registers: { rsp: 1n << 63n } })), [12, 0, 0, 0]);
});

nativeTest("NativeCpu.run() reports #PF with error code and CR2", (cpu) => {
  const load = [0x48, 0x8b, 0x03]; // mov rax, [rbx]
  const store = [0x48, 0x89, 0x03]; // mov [rbx], rax
  const guard = DATA_ADDRESS - 0x20;
  assertEquals(outcome(run(cpu, 64, load, { registers: { rbx: BigInt(guard) } })), [14, 4, 0, guard]);
  assertEquals(outcome(run(cpu, 64, store, { registers: { rbx: BigInt(guard) } })), [14, 6, 0, guard]);
  const split = READ_ONLY_ADDRESS - 4;
  assertEquals(outcome(run(cpu, 64, store, { registers: { rbx: BigInt(split) } })), [14, 7, 0, READ_ONLY_ADDRESS]);
  const { state } = run(cpu, 64, load, { registers: { rbx: BigInt(READ_ONLY_ADDRESS) } });
  assertEquals(state.gpr("rax") & 0xffn, BigInt(backgroundByte(READ_ONLY_ADDRESS)));
  const end = READ_ONLY_ADDRESS + READ_ONLY_SIZE;
  assertEquals(outcome(run(cpu, 64, load, { registers: { rbx: BigInt(end - 4) } })), [14, 4, 0, end]);
});

nativeTest("NativeCpu.run() reports #PF when an instruction crosses into a page that is not there", (cpu) => {
  const end = CODE_ADDRESS + CODE_SIZE;
  const codeOffset = CODE_SIZE - 2;
  assertEquals(outcome(run(cpu, 64, [0x48, 0x05], { codeOffset }), end - 2), [14, 0x14, 0, end]); // half an add rax, imm32
  const whole = run(cpu, 64, [0xb0, 0x07], { codeOffset }); // mov al, 7, then nothing
  assertEquals(outcome(whole, end), [14, 0x14, 0, end]);
  assertEquals(whole.state.gpr("rax"), 7n);
});

nativeTest("NativeCpu.run() pushes and pops at the given RSP", (cpu) => {
  const address = DATA_ADDRESS + 0x100;
  const bytes = new Uint8Array(16);
  const push = run(cpu, 64, [0x50], {
    registers: { rax: 0x1122n, rsp: BigInt(address + 16) },
    data: { address, bytes },
  });
  assertEquals(push.state.gpr("rsp"), BigInt(address + 8));
  assertEquals(push.data, new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0x22, 0x11, 0, 0, 0, 0, 0, 0]));
  const pop = run(cpu, 32, [0x58], { registers: { rsp: BigInt(address + 8) }, data: { address, bytes: push.data } });
  assertEquals([low(pop.state.gpr("rax"), 32), low(pop.state.gpr("rsp"), 32)], [0x1122n, BigInt(address + 12)]);
});

nativeTest("NativeCpu.run() tells where a branch arrived", (cpu) => {
  const loop = { landing: "int3" } as const;
  assertEquals(outcome(run(cpu, 64, [0xeb, 0x10], loop)), [TRAP.none, 0, 0x12, 0]); // jmp short
  assertEquals(outcome(run(cpu, 64, [0xeb, 0x80], loop)), [TRAP.none, 0, -0x7e, 0]);
  const taken = run(cpu, 64, [0xe2, 0x20], { ...loop, registers: { rcx: 2n } }); // loop
  assertEquals(outcome(taken), [TRAP.none, 0, 0x22, 0]);
  assertEquals(taken.state.gpr("rcx"), 1n);
  assertEquals(outcome(run(cpu, 64, [0xe2, 0x20], { ...loop, registers: { rcx: 1n } })), [TRAP.none, 0, 2, 0]);
  assertEquals(outcome(run(cpu, 32, [0xe2, 0x20], { ...loop, registers: { rcx: 5n } })), [TRAP.none, 0, 0x22, 0]);
  // jmp rbx to data that cannot be executed, and to a non-canonical address
  const data = run(cpu, 64, [0xff, 0xe3], { registers: { rbx: BigInt(DATA_ADDRESS) } });
  assertEquals(outcome(data, DATA_ADDRESS), [14, 0x15, 0, DATA_ADDRESS]);
  assertEquals(outcome(run(cpu, 64, [0xff, 0xe3], { registers: { rbx: 1n << 62n } })), [13, 0, 0, 0]);
});

nativeTest("NativeCpu.run() executes what 64-bit mode has not in 32-bit mode", (cpu) => {
  const daa = run(cpu, 32, [0x27], { registers: { rax: 0x9bn } });
  assertEquals(low(daa.state.gpr("rax"), 8), 0x01n);
  assertEquals(daa.state.flags & (FLAG.cf | FLAG.af), FLAG.cf | FLAG.af);
  assertEquals(outcome(run(cpu, 64, [0x27])), [6, 0, 0, 0]);
  assertEquals(outcome(run(cpu, 32, [0xd4, 0x00])), [0, 0, 0, 0]); // aam 0
  const aam = run(cpu, 32, [0xd4, 0x0a], { registers: { rax: 57n } });
  assertEquals(low(aam.state.gpr("rax"), 16), 0x0507n);
  assertEquals(outcome(run(cpu, 32, [0xce], { flags: FLAG.of })), [4, 0, 1, 0]); // into
  assertEquals(outcome(run(cpu, 32, [0xce])), [TRAP.none, 0, 1, 0]);
  const data = { address: DATA_ADDRESS, bytes: new Uint8Array(new Int32Array([-5, 5]).buffer) };
  const bound = [0x62, 0x03]; // bound eax, [ebx]
  const registers = { rbx: BigInt(DATA_ADDRESS) };
  assertEquals(outcome(run(cpu, 32, bound, { data, registers: { ...registers, rax: 5n } })), [TRAP.none, 0, 2, 0]);
  assertEquals(outcome(run(cpu, 32, bound, { data, registers: { ...registers, rax: 6n } })), [5, 0, 0, 0]);
});

test16("NativeCpu.run() works on 16-bit stacks and segments", (cpu) => {
  const data = { address: DATA_ADDRESS, bytes: new Uint8Array(8) };
  const push = run(cpu, 16, [0x50], { registers: { rax: 0x1234n, rsp: 0xabcd0006n }, data });
  assertEquals([push.state.gpr("rsp"), push.state.trap], [0xabcd0004n, TRAP.none]);
  assertEquals(push.data, words(0, 0, 0x1234, 0));
  const split = run(cpu, 16, [0x8b, 0x07], { registers: { rbx: BigInt(DATA_SIZE - 1) } }); // mov ax, [bx] over the limit
  assertEquals(outcome(split, DEFAULT_CODE_OFFSET), [13, 0, 0, 0]);
  const stack = run(cpu, 16, [0x8b, 0x46, 0x00], { registers: { rbp: BigInt(DATA_SIZE) } }); // mov ax, [bp+0]
  assertEquals(outcome(stack, DEFAULT_CODE_OFFSET), [12, 0, 0, 0]);
  const jump = run(cpu, 16, [0xeb, 0x10], { landing: "int3" });
  assertEquals(outcome(jump, DEFAULT_CODE_OFFSET), [TRAP.none, 0, 0x12, 0]);
});

test16("NativeCpu.segment() makes expand-down, read-only, absent and far-away segments", (cpu) => {
  const load = [0x8a, 0x07]; // mov al, [bx]
  const store = [0x88, 0x07]; // mov [bx], al
  const with16 = (code: number[], ds: number, rbx: bigint): number[] =>
    outcome(
      run(cpu, 16, code, { registers: { rbx }, set: (state) => state.setSelector("ds", ds) }),
      DEFAULT_CODE_OFFSET,
    );
  const down = cpu.segment(0, { base: DATA_ADDRESS, limit: 0xfff, kind: "expand-down" });
  assertEquals(with16(load, down, 0xfffn), [13, 0, 0, 0]);
  assertEquals(with16(load, down, 0x1000n), [TRAP.none, 0, 2, 0]);
  const readOnly = cpu.segment(1, { base: DATA_ADDRESS, limit: 0xff, kind: "data", restricted: true });
  assertEquals(with16(load, readOnly, 0xffn), [TRAP.none, 0, 2, 0]);
  assertEquals(with16(store, readOnly, 0n), [13, 0, 0, 0]);
  assertEquals(with16(load, 0, 0n), [13, 0, 0, 0]);
  const absent = cpu.segment(2, { base: 0, limit: 0xff, kind: "data", present: false });
  const pop = run(cpu, 16, [0x8e, 0xd8], { registers: { rax: BigInt(absent) } }); // mov ds, ax
  assertEquals(outcome(pop, DEFAULT_CODE_OFFSET), [11, absent & ~3, 0, 0]);
  const code32 = cpu.segment(3, { base: CODE_ADDRESS, limit: CODE_SIZE - 1, kind: "code", is32: true });
  const state = new StateBlock();
  cpu.prepare(state, 32, { cs: code32 });
  const far = run(cpu, 32, [0x8c, 0xc8], { // mov eax, cs
    set: (block) => {
      block.setSelector("cs", state.selector("cs"));
      block.set("rip", state.get("rip"));
    },
  });
  assertEquals([far.state.trap, low(far.state.gpr("rax"), 32)], [TRAP.none, BigInt(code32)]);
  assertThrows(() => cpu.segment(8184, undefined), RangeError, "Cannot make segment 8184");
});

nativeTest("NativeCpu.run() carries x87 state, with control word and #MF", (cpu) => {
  const one = [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f];
  const tiny = [0, 0, 0, 0, 0, 0, 0, 0x80, 0xcf, 0x3f]; // 2^-48
  const add = (fcw: number): Uint8Array =>
    run(cpu, 64, [0xd8, 0xc1], { // fadd st0, st1
      set: (state) => {
        state.st(0).set(one);
        state.st(1).set(tiny);
        state.setX87("ftw", 3);
        state.setX87("fcw", fcw);
        state.setX87("fsw", 0);
      },
    }).state.st(0);
  assertEquals(add(0x37f), new Uint8Array([0, 0x80, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f])); // 64 bits
  assertEquals(add(0x07f), new Uint8Array(one)); // 24 bits, to nearest
  assertEquals(add(0x87f), new Uint8Array([0, 0, 0, 0, 0, 1, 0, 0x80, 0xff, 0x3f])); // 24 bits, up
  const fld = run(cpu, 64, [0xd9, 0xe8]); // fld1
  assertEquals(fld.state.st(0), new Uint8Array(one));
  assertEquals([fld.state.x87("fsw"), fld.state.x87("ftw")], [0x3800, 0x80]);
  const pending = run(cpu, 64, [0x9b], { // wait
    set: (state) => {
      state.setX87("fcw", 0x37e);
      state.setX87("fsw", 0x8081);
    },
  });
  assertEquals(outcome(pending), [16, 0, 0, 0]);
  assertEquals(pending.state.x87("fsw"), 0x8081);
});

nativeTest("NativeCpu.run() carries SSE state, with rounding, flags and #XM", (cpu) => {
  const add = (mxcsr: number): NativeResult =>
    run(cpu, 64, [0xf3, 0x0f, 0x58, 0xc1], { // addss xmm0, xmm1
      set: (state) => {
        state.xmm(0).set(new Uint8Array(new Float32Array([1]).buffer));
        state.xmm(1).set(new Uint8Array(new Float32Array([2 ** -30]).buffer));
        state.mxcsr = mxcsr;
      },
    });
  const bits = (result: NativeResult): number => new DataView(result.state.xmm(0).slice().buffer).getUint32(0, true);
  const nearest = add(0x1f80);
  assertEquals([bits(nearest), nearest.state.mxcsr, nearest.state.trap], [0x3f800000, 0x1fa0, TRAP.none]);
  assertEquals(bits(add(0x5f80)), 0x3f800001);
  const unmasked = add(0x0f80);
  assertEquals(outcome(unmasked), [19, 0, 0, 0]);
  assertEquals([bits(unmasked), unmasked.state.mxcsr], [0x3f800000, 0x0fa0]);
});

nativeTest("NativeCpu.run() stops REP MOVSB in the middle at a fault", (cpu) => {
  const address = DATA_ADDRESS + 0x2ff0;
  const { state, data } = run(cpu, 64, [0xf3, 0xa4], {
    registers: { rcx: 100n, rsi: BigInt(address), rdi: BigInt(READ_ONLY_ADDRESS - 40) },
    data: { address, bytes: new Uint8Array(0x1010).map((_, index) => index) },
  });
  assertEquals(outcome({ state, data, stray: undefined }), [14, 7, 0, READ_ONLY_ADDRESS]);
  assertEquals(state.gpr("rcx"), 60n);
  assertEquals([state.gpr("rsi"), state.gpr("rdi")], [BigInt(address + 40), BigInt(READ_ONLY_ADDRESS)]);
  assertEquals(data.subarray(-40), data.subarray(0, 40));
});

nativeTest("NativeCpu.run() reports #AC where the guest asks for it", (cpu) => {
  const load = [0x48, 0x8b, 0x03]; // mov rax, [rbx]
  const registers = { rbx: BigInt(DATA_ADDRESS + 1) };
  assertEquals(outcome(run(cpu, 64, load, { registers, flags: FLAG.ac })), [17, 0, 0, 0]);
  assertEquals(outcome(run(cpu, 64, load, { registers })), [TRAP.none, 0, 3, 0]);
});

nativeTest("NativeCpu.run() keeps TF that the guest sets and ends there", (cpu) => {
  const data = { address: DATA_ADDRESS, bytes: new Uint8Array(new BigUint64Array([BigInt(FLAG.tf | FLAG.cf)]).buffer) };
  const { state } = run(cpu, 64, [0x9d], { registers: { rsp: BigInt(DATA_ADDRESS) }, data }); // popfq
  assertEquals([state.trap, state.get("rip")], [TRAP.none, BigInt(START + 1)]);
  assertEquals(state.flags, FLAG.tf | FLAG.cf | FLAG.if | 2);
});

nativeTest("NativeCpu.run() executes no system call", (cpu) => {
  const exitGroup = { rax: 231n, rdi: 9n };
  const call = run(cpu, 64, [0x0f, 0x05], { registers: exitGroup });
  assertEquals([call.state.trap, call.state.gpr("rax")], [TRAP.syscall, 231n]);
  const exit = { rax: 1n, rbx: 9n };
  assertEquals(run(cpu, 32, [0xcd, 0x80], { registers: exit }).state.trap, TRAP.syscall);
  assertEquals(run(cpu, 64, [0xcd, 0x80], { registers: exit }).state.trap, TRAP.syscall);
});

nativeTest("NativeCpu.run() survives guests that lose the stack, FS, GS and every segment", (cpu) => {
  const wild = run(cpu, 64, [0x50], { registers: { rsp: 0xffff_8000_0000_0000n } }); // push rax
  assert(wild.state.trap === 14 || wild.state.trap === 12);
  // xor eax, eax; mov fs, eax; mov gs, eax; mov ds, eax; mov es, eax; mov rsp, rax
  run(cpu, 64, [0x31, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8, 0x8e, 0xd8, 0x8e, 0xc0, 0x48, 0x89, 0xc4]);
  assertEquals(run(cpu, 32, [0x31, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8, 0x8e, 0xd8, 0x8e, 0xc0]).state.selector("ds"), 0);
  assertEquals(outcome(run(cpu, 32, [0x0f, 0x0b], { registers: { rsp: 0n } })), [6, 0, 0, 0]);
});

nativeTest("NativeCpu.run() ends code that does not end", (cpu) => {
  for (const mode of MODES) {
    if (mode === 16 && !cpu.has16Bit) continue;
    const start = performance.now();
    assertEquals(run(cpu, mode, [0xeb, 0xfe], { timeoutMs: 20 }).state.trap, TRAP.timeout);
    assert(performance.now() - start < 2000);
  }
});

nativeTest("NativeCpu.run() says when the state cannot be loaded", (cpu) => {
  const selector = run(cpu, 64, [0x90], { set: (state) => state.setSelector("ds", 0xfffb) });
  assertEquals([selector.state.trap, selector.state.error], [TRAP.setup, 13]);
  const mxcsr = run(cpu, 64, [0x90], { set: (state) => state.mxcsr = 0x80000000 });
  assertEquals([mxcsr.state.trap, mxcsr.state.error], [TRAP.setup, 13]);
});

nativeTest("NativeCpu.run() reports a write outside the window once", (cpu) => {
  const code = new Uint8Array([0x88, 0x03]); // mov [rbx], al
  const request: NativeRequest = { mode: 64, code, registers: { rbx: BigInt(DATA_ADDRESS + 5) } };
  assertEquals(cpu.run(request).stray, DATA_ADDRESS + 5);
  const data = { address: DATA_ADDRESS + 5, bytes: new Uint8Array(1) };
  assertEquals(cpu.run({ ...request, data }).stray, undefined);
  data.address++;
  assertEquals(cpu.run({ ...request, data }).stray, DATA_ADDRESS + 5);
});

nativeTest("NativeCpu.runBatch() runs 20,000 cases with memory, and thousands with faults", (cpu) => {
  const count = 20_000;
  const record = STATE_SIZE + 8;
  const inputs = new Uint8Array(count * record);
  const outputs = new Uint8Array(count * record);
  const state = new StateBlock(inputs);
  const view = new DataView(inputs.buffer);
  let seed = 1n;
  for (let i = 0; i < count; i++) {
    state.at(i * record).reset();
    cpu.prepare(state, 64);
    seed = BigInt.asUintN(64, seed * 6364136223846793005n + 1442695040888963407n);
    state.setGpr("rax", seed);
    state.setGpr("rbx", BigInt(DATA_ADDRESS + 64));
    view.setBigUint64(i * record + STATE_SIZE, seed ^ 0x5555n, true);
  }
  const window = { address: DATA_ADDRESS + 64, length: 8 };
  const times: number[] = [];
  // add [rbx], rax; then the same with a fault: div qword [rbx] by way of ud2
  for (const code of [[0x48, 0x01, 0x03], [0x0f, 0x0b]]) {
    const start = performance.now();
    const report = cpu.runBatch({ mode: 64, code: new Uint8Array(code), inputs, outputs, window });
    times.push((performance.now() - start) * 1000 / count);
    assertEquals(report, { count, stray: undefined });
    const result = new DataView(outputs.buffer);
    const out = new StateBlock(outputs);
    let wrong = 0;
    for (let i = 0; i < count; i++) {
      const value = view.getBigUint64(i * record + STATE_SIZE, true);
      const faulted = code[0] === 0x0f;
      const expected = faulted ? value : low(value + state.at(i * record).gpr("rax"), 64);
      if (result.getBigUint64(i * record + STATE_SIZE, true) !== expected) wrong++;
      if (out.at(i * record).trap !== (faulted ? 6 : TRAP.none)) wrong++;
    }
    assertEquals(wrong, 0);
  }
  console.log(`microseconds a case: ${times[0].toFixed(2)}, with a fault ${times[1].toFixed(2)}`);
});

nativeTest("NativeCpu.runBatch() refuses what does not fit", (cpu) => {
  const code = new Uint8Array([0x90]);
  const inputs = new Uint8Array(STATE_SIZE);
  const outputs = new Uint8Array(STATE_SIZE);
  const base = { mode: 64, code, inputs, outputs } as const;
  assertThrows(() => cpu.runBatch({ ...base, codeOffset: CODE_SIZE }), RangeError, "Cannot place code");
  assertThrows(() => cpu.runBatch({ ...base, inputs: new Uint8Array(7) }), RangeError, "Cannot run records");
  assertThrows(() => cpu.runBatch({ ...base, outputs: new Uint8Array(7) }), RangeError, "Cannot run records");
  const window = { address: READ_ONLY_ADDRESS, length: 1 };
  assertThrows(() => cpu.runBatch({ ...base, window }), RangeError, "Cannot set the data window");
});

Deno.test({
  name: `NativeCpu[Symbol.dispose]() gives everything back${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  ignore: reason !== undefined,
  fn: () => {
    const first = NativeCpu.open();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    assertThrows(() => first.run({ mode: 64, code: new Uint8Array(1) }), Error, "it is closed");
    assertThrows(() => first.cpuid(0), Error, "it is closed");
    using second = NativeCpu.open();
    assert(second.cpuid(0)[0] >= 1);
  },
});

/** A worker that runs into a WebAssembly bounds trap (a SIGSEGV that V8 handles) again and again, and counts. */
const TRAPPING_WORKER = `
  // (module (memory 1) (func (export "f") (param i32) (result i32) (i32.load (local.get 0))))
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102,
    0, 0, 10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11];
  const f = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes))).exports.f;
  let traps = 0;
  onmessage = () => {
    postMessage(traps);
    for (let i = 0; i < 2000; i++) try { f(-16); } catch { traps++; }
    postMessage(traps);
  };
`;

Deno.test({
  name: `NativeCpu.runBatch() leaves other threads' faults to V8${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  ignore: reason !== undefined,
  fn: async () => {
    using cpu = NativeCpu.open();
    const url = URL.createObjectURL(new Blob([TRAPPING_WORKER], { type: "text/javascript" }));
    const worker = new Worker(url, { type: "module" });
    try {
      const { promise: started, resolve: start } = Promise.withResolvers<void>();
      const { promise: ended, resolve: end } = Promise.withResolvers<number>();
      worker.onmessage = ({ data }: MessageEvent<number>) => data === 0 ? start() : end(data);
      worker.postMessage("go");
      await started;
      for (let i = 0; i < 200; i++) assertEquals(run(cpu, 64, [0x0f, 0x0b]).state.trap, 6);
      assertEquals(await ended, 2000);
    } finally {
      worker.terminate();
      URL.revokeObjectURL(url);
    }
  },
});
