import type { BulkResult } from './types.ts';

const COLUMNS = ['phone', 'status', 'reason', 'messageId', 'verificationId', 'email', 'line'] as const;
/** What a spreadsheet may take for a formula when a cell begins with it. */
const FORMULA_START = /^[=+\-@\t\r\0]/;

/** The first line of the file. */
export const RESULTS_HEADER = `${COLUMNS.join(',')}\r\n`;

/**
 * A line of the file (RFC 4180). A cell that a spreadsheet could take for a formula begins with an apostrophe, and so do
 * phone numbers, which it would else turn into a sum or round.
 */
export function resultLine(result: BulkResult): string {
  return `${COLUMNS.map((name) => cell(result[name])).join(',')}\r\n`;
}

function cell(value: string | number | null): string {
  if (value === null) return '';
  const text = String(value);
  const inert = FORMULA_START.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
