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

/** The same without the columns in which nothing stands. */
export function tableOfFilled(head: readonly string[], rows: readonly string[][]): string {
  const filled = (_: unknown, column: number) => rows.some((row) => row[column] !== '');
  return table(
    head.filter(filled),
    rows.map((row) => row.filter(filled)),
  );
}
