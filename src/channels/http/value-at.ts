/**
 * The value at a path of names and numbers with dots (`messages.0.id`) in what JSON or a form gave; undefined where there
 * is none. Only what the value has of its own is found.
 */
export function valueAt(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (part, name) =>
        typeof part === 'object' && part !== null && Object.hasOwn(part, name)
          ? (part as Record<string, unknown>)[name]
          : undefined,
      value,
    );
}

/** A text, number or truth value at a path, as text; undefined for anything else and for an empty text. */
export function textAt(value: unknown, path: string): string | undefined {
  const found = valueAt(value, path);
  return ['string', 'number', 'boolean'].includes(typeof found) && found !== '' ? String(found) : undefined;
}
