/** What a spreadsheet may take for a formula when a cell begins with it. */
const FORMULA_START = /^[=+\-@\t\r\0]/;

/**
 * A line of a CSV file (RFC 4180). A cell that a spreadsheet could take for a formula begins with an apostrophe, and so do
 * phone numbers, which it would else turn into a sum or round. Null is an empty cell.
 */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map(cell).join(',')}\r\n`;
}

function cell(value: string | number | null): string {
  if (value === null) return '';
  const text = String(value);
  const inert = FORMULA_START.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
