/**
 * Instructions that neither the host processor nor a guest can show, and where they are tested.
 * @module
 */

/** The test, by mnemonic. */
export const UNIT_TESTED: Readonly<Record<string, string>> = {
  RDRAND: "differential_integer_test.ts: RDRAND gives a number of its width",
  RDSEED: "differential_integer_test.ts: RDRAND gives a number of its width",
};
