/**
 * Tables for people: as text in columns, and as Markdown.
 * @module
 */

/** A table; its first column is text, the others are numbers. */
export interface Table {
  /** Names of the columns. */
  readonly header: readonly string[];
  /** Rows of as many cells. */
  readonly rows: readonly (readonly string[])[];
}

/**
 * A table in columns as wide as they must be.
 * @param table The table.
 * @returns Lines, each with a line feed.
 */
export function renderText({ header, rows }: Table): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]);
  return lines.map((cells) => cells.map(pad).join("  ").trimEnd() + "\n").join("");
}

/**
 * A table in Markdown.
 * @param table The table.
 * @returns Lines, each with a line feed.
 */
export function renderMarkdown({ header, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((c) => c.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return [line(header), line(header.map((_, i) => i === 0 ? "---" : "---:")), ...rows.map(line)].join("");
}
