/**
 * What a key is for programs: the word that INT 9 puts into the buffer, scan code in the high and character in the low byte, for a
 * US keyboard.
 * @module
 */

/** Which of a key's codes. */
export type KeyShift = "plain" | "shift" | "control" | "alt";

/** A key's four codes; 0: none. */
type KeyCodes = readonly [plain: number, shift: number, control: number, alt: number];

/** Keys that give characters: scan code, without and with shift. With Ctrl letters and some signs give control characters. */
const CHARACTERS: readonly (readonly [first: number, plain: string, shift: string])[] = [
  [0x02, "1234567890-=", "!@#$%^&*()_+"],
  [0x10, "qwertyuiop[]", "QWERTYUIOP{}"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x56, "\\", "|"],
];

/** Characters that Ctrl makes of signs. */
const CONTROL_SIGNS: Readonly<Record<string, number>> = {
  "2": 0x0300,
  "6": 0x071e,
  "-": 0x0c1f,
  "[": 0x1a1b,
  "]": 0x1b1d,
  "\\": 0x2b1c,
};
const DIGIT_FIRST = 0x02, DIGIT_LAST = 0x0d, ALT_DIGIT = 0x78;

/** Keys behind the prefix E0, and the keypad's without Num Lock. */
const EXTENDED: ReadonlyMap<number, KeyCodes> = new Map<number, KeyCodes>([
  [0x1c, [0xe00d, 0xe00d, 0xe00a, 0xa600]],
  [0x35, [0xe02f, 0xe02f, 0x9500, 0xa400]],
  ...([
    [0x47, 0x7700, 0x9700],
    [0x48, 0x8d00, 0x9800],
    [0x49, 0x8400, 0x9900],
    [0x4b, 0x7300, 0x9b00],
    [0x4d, 0x7400, 0x9d00],
    [0x4f, 0x7500, 0x9f00],
    [0x50, 0x9100, 0xa000],
    [0x51, 0x7600, 0xa100],
    [0x52, 0x9200, 0xa200],
    [0x53, 0x9300, 0xa300],
  ] as const).map(([scan, control, alt]): [number, KeyCodes] => [
    scan,
    [scan << 8 | 0xe0, scan << 8 | 0xe0, control | 0xe0, alt],
  ]),
]);

/** Keypad: what it types with Num Lock. */
const KEYPAD = "789-456+1230.";
const KEYPAD_FIRST = 0x47,
  KEYPAD_CONTROL = [0x77, 0x8d, 0x84, 0x8e, 0x73, 0x8f, 0x74, 0x90, 0x75, 0x91, 0x76, 0x92, 0x93];

const KEYS: ReadonlyMap<number, KeyCodes> = keys();

/**
 * The code of a key.
 * @param scan Its scan code of set 1, without the release bit.
 * @param extended Whether E0 came before it.
 * @param shift Which code.
 * @returns It; 0: none.
 */
export function keyCode(scan: number, extended: boolean, shift: KeyShift): number {
  const codes = (extended ? EXTENDED : KEYS).get(scan);
  return codes?.[["plain", "shift", "control", "alt"].indexOf(shift)] ?? 0;
}

/** Whether Caps Lock exchanges a key's codes. */
export function isLetter(scan: number): boolean {
  const plain = (KEYS.get(scan)?.[0] ?? 0) & 0xff;
  return plain >= 0x61 && plain <= 0x7a;
}

/** Whether a key is one of those that Num Lock exchanges. */
export function isKeypad(scan: number): boolean {
  return scan >= KEYPAD_FIRST && scan < KEYPAD_FIRST + KEYPAD.length && scan !== 0x4a && scan !== 0x4e;
}

/** The digit of a key of the keypad; none: it has none. */
export function keypadDigit(scan: number): number | undefined {
  const sign = KEYPAD[scan - KEYPAD_FIRST];
  return sign !== undefined && sign >= "0" && sign <= "9" ? Number(sign) : undefined;
}

function keys(): Map<number, KeyCodes> {
  const map = new Map<number, KeyCodes>([
    [0x01, [0x011b, 0x011b, 0x011b, 0x0100]],
    [0x0e, [0x0e08, 0x0e08, 0x0e7f, 0x0e00]],
    [0x0f, [0x0f09, 0x0f00, 0x9400, 0xa500]],
    [0x1c, [0x1c0d, 0x1c0d, 0x1c0a, 0x1c00]],
    [0x37, [0x372a, 0x372a, 0x9600, 0x3700]],
    [0x39, [0x3920, 0x3920, 0x3920, 0x3920]],
    [0x57, [0x8500, 0x8700, 0x8900, 0x8b00]],
    [0x58, [0x8600, 0x8800, 0x8a00, 0x8c00]],
  ]);
  for (let f = 0; f < 10; f++) {
    map.set(0x3b + f, [0x3b + f << 8, 0x54 + f << 8, 0x5e + f << 8, 0x68 + f << 8]);
  }
  for (const [first, plain, shift] of CHARACTERS) {
    for (let n = 0; n < plain.length; n++) {
      const scan = first + n, code = scan << 8;
      const letter = plain[n] >= "a" && plain[n] <= "z";
      const control = letter ? code | plain.charCodeAt(n) & 0x1f : first === 0x56 ? 0 : CONTROL_SIGNS[plain[n]] ?? 0;
      const alt = scan >= DIGIT_FIRST && scan <= DIGIT_LAST ? ALT_DIGIT + scan - DIGIT_FIRST << 8 : code;
      map.set(scan, [code | plain.charCodeAt(n), code | shift.charCodeAt(n), control, alt]);
    }
  }
  for (let n = 0; n < KEYPAD.length; n++) {
    const scan = KEYPAD_FIRST + n, code = scan << 8, typed = code | KEYPAD.charCodeAt(n);
    const sign = scan === 0x4a || scan === 0x4e;
    const plain = sign ? typed : scan === 0x4c ? 0 : code;
    map.set(scan, [plain, typed, KEYPAD_CONTROL[n] << 8, sign ? code : 0]);
  }
  return map;
}
