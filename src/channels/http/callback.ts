import type { CallbackDefinition } from '../../config/provider-schema.ts';
import { isId } from '../../lib/id.ts';
import type { Receipt } from '../../messages/channel.ts';
import { providerIdOf } from './provider.ts';
import { textAt, valueAt } from './value-at.ts';

/** So many statuses of one callback are looked at. */
const ITEMS_MAX = 1_000;

/** What a provider reports, from the body of its callback. What the definition does not map is left out. */
export function receiptsIn(
  { items, messageId, status, map }: CallbackDefinition,
  provider: string,
  body: unknown,
): Receipt[] {
  const list = items === undefined ? [body] : valueAt(body, items);
  if (!Array.isArray(list)) return [];
  return list.slice(0, ITEMS_MAX).flatMap((item) => {
    const id = textAt(item, messageId);
    const said = textAt(item, status);
    const state = said !== undefined && Object.hasOwn(map, said) ? map[said] : undefined;
    // That a provider has taken a message was its answer's to say.
    if (id === undefined || state === undefined || state === 'sent') return [];
    const reason = state === 'failed' ? { reason: `${provider}: ${said}` } : {};
    // Some providers call a message as we do.
    const name = isId('msg', id) ? { messageId: id } : { providerId: providerIdOf(provider, id) };
    return [{ ...name, status: state, ...reason }];
  });
}

/** A JSON body, or the fields of a form under their names; undefined where it is neither. */
export function bodyOf(bytes: Buffer, form: URLSearchParams | undefined): unknown {
  if (form) return Object.fromEntries(form);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
