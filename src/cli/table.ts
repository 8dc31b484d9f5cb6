import Table from 'cli-table3';
import { printable } from '../lib/terminal.ts';

/** A table for people, without colours, which a pipe has no use for. What is in a cell stays on its line. */
export function table(head: readonly string[], rows: readonly (string | number)[][]): string {
  const drawn = new Table({ style: { head: [], border: [] }, head: [...head] });
  drawn.push(...rows.map((row) => row.map(cell)));
  return drawn.toString();
}

function cell(content: string | number): string {
  return printable(String(content)).replaceAll('\n', '\u{fffd}');
}
