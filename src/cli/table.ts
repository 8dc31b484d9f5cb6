import Table from 'cli-table3';

/** A table for people, without colours: `print` would spoil them, and a pipe has no use for them. */
export function table(head: readonly string[], rows: readonly (string | number)[][]): string {
  const drawn = new Table({ style: { head: [], border: [] }, head: [...head] });
  drawn.push(...rows);
  return drawn.toString();
}
