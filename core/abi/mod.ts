/**
 * `kvm.h` of API version 12 as data and typed views: constants, errno, ioctl rows, layouts, structures.
 * @module
 */

export * from "./constants.ts";
export * from "./cpuid.ts";
export * from "./debug.ts";
export * from "./errno.ts";
export * from "./fpu.ts";
export * from "./ioctl.ts";
export * from "./layout.ts";
export * from "./memory.ts";
export * from "./msrs.ts";
export * from "./page_tables.ts";
export * from "./regs.ts";
export * from "./run.ts";
export * from "./segments.ts";
export * from "./signal_mask.ts";
export { type FieldInit, type StructInit, type StructSource, StructView, U64Array } from "./struct_view.ts";
export * from "./translation.ts";
