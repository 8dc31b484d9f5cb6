import type { Transaction } from '../../../database/database.ts';
import { DAY_MS } from '../../../lib/duration.ts';
import { dayOf } from './pacing.ts';

/** What WhatsApp itself gives a chat to prove that it is wanted is good for about four weeks. In ms. */
const KEPT_AT_LEAST_MS = 30 * DAY_MS;

/**
 * Baileys' kinds of keys that are about other people. Each can be missing: a message to somebody without a session
 * begins a new one with a fresh prekey, a message in a session that is gone is asked for again, and addresses and
 * device lists are asked of WhatsApp. The number's own keys, above all the prekeys that WhatsApp hands out, cannot.
 */
const ABOUT_OTHERS = [
  'session',
  'identity-key',
  'lid-mapping',
  'device-list',
  'tctoken',
  'sender-key',
  'sender-key-memory',
];

/**
 * Deletes what is kept to write to people whom nobody has written to since `before` (Unix ms), and never what was used
 * in the last 30 days; up to `limit` rows of a kind. To write to them again is a new chat. Safe while numbers send: what
 * is in use is younger. Resolves to whether there may be more.
 */
export async function forgetContacts(
  trx: Transaction,
  { before, now, limit }: { before: number; now: number; limit: number },
): Promise<boolean> {
  const time = Math.min(before, now - KEPT_AT_LEAST_MS);
  const day = dayOf(time);
  const removed = [
    await trx
      .deleteFrom('whatsapp_chats')
      .where('last_wrote_at', '<', time)
      .where(({ eb, refTuple, selectFrom }) =>
        eb(
          refTuple('phone', 'session_id'),
          'in',
          selectFrom('whatsapp_chats')
            .select(['phone', 'session_id'])
            .where('last_wrote_at', '<', time)
            .limit(limit)
            .$asTuple('phone', 'session_id'),
        ),
      )
      .executeTakeFirst(),
    await trx
      .deleteFrom('whatsapp_numbers')
      .where('checked_at', '<', time)
      .where('phone', 'in', (eb) =>
        eb.selectFrom('whatsapp_numbers').select('phone').where('checked_at', '<', time).limit(limit),
      )
      .executeTakeFirst(),
    await trx
      .deleteFrom('whatsapp_auth')
      .where('used_day', '<', day)
      .where(({ eb, refTuple, selectFrom }) =>
        eb(
          refTuple('session_id', 'kind', 'key'),
          'in',
          selectFrom('whatsapp_auth')
            .select(['session_id', 'kind', 'key'])
            .where('used_day', '<', day)
            .where('kind', 'in', ABOUT_OTHERS)
            .limit(limit)
            .$asTuple('session_id', 'kind', 'key'),
        ),
      )
      .executeTakeFirst(),
  ];
  // A linked number each: a few rows.
  await trx
    .deleteFrom('whatsapp_senders')
    .where('day', '<', day)
    .where((eb) => eb.or([eb('stopped_until', 'is', null), eb('stopped_until', '<', now)]))
    .execute();
  return removed.some(({ numDeletedRows }) => numDeletedRows >= limit);
}
