/**
 * Code page 437, the characters of a PC's screen, as Unicode. The codes below 32 and 127 have their pictures.
 * @module
 */

const LOW = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const HIGH = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»" +
  "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

/** The character of each code, 256 of them; what is blank is a space. */
export const CP437: readonly string[] = [
  ...LOW,
  ...Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)),
  "⌂",
  ...HIGH,
];

/**
 * Gives characters as a screen shows them.
 * @param codes Their codes in code page 437.
 */
export function fromCp437(codes: Iterable<number>): string {
  let text = "";
  for (const code of codes) text += CP437[code & 0xff];
  return text;
}
