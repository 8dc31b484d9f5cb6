import { hash } from 'node:crypto';
import type { Change } from '../database/acts.ts';

/** A text that is longer is kept in the audit log by its beginning and its SHA-256. */
const TEXT_MAX = 1_000;
const BEGINNING = 200;

/** What an act has changed: of both states only the values that differ, with long texts shortened. */
export function changeOf(
  before: Readonly<Record<string, unknown>> | undefined,
  after: Readonly<Record<string, unknown>> | undefined,
): Change {
  const names = Object.keys({ ...before, ...after });
  const changed = names.filter((name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]));
  const only = (values: Readonly<Record<string, unknown>> | undefined) =>
    values && changed.length > 0
      ? Object.fromEntries(changed.map((name) => [name, shortened(values[name])]))
      : undefined;
  return { before: only(before), after: only(after) };
}

function shortened(value: unknown): unknown {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  if (text.length <= TEXT_MAX) return value;
  return `${text.slice(0, BEGINNING)}… (${text.length} characters, SHA-256 ${hash('sha256', text, 'hex')})`;
}
