import { csvLine } from '../lib/csv.ts';
import type { BulkResult } from './types.ts';

const COLUMNS = ['phone', 'status', 'reason', 'messageId', 'verificationId', 'email', 'line'] as const;

/** The first line of the file. */
export const RESULTS_HEADER = csvLine(COLUMNS);

/** A line of the file. */
export function resultLine(result: BulkResult): string {
  return csvLine(COLUMNS.map((name) => result[name]));
}
