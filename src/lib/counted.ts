/** A number and what it counts, in the singular for one: `1 recipient`, `2 recipients`. The plural ends with s. */
export function counted(count: number, singular: string): string {
  return `${count} ${singular}${count === 1 ? '' : 's'}`;
}
