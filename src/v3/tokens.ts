import type { Actor } from '../database/acts.ts';
import type { Database, Transaction } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Grant } from '../http/permissions.ts';
import type { Clock } from '../lib/clock.ts';
import { idOfContent } from '../lib/id.ts';
import { shownV3Hash } from './old-database.ts';

/** What v3's tokens may do when nobody says more. */
export const V3_TOKEN_PERMISSIONS = ['otp:send', 'otp:verify'] as const;

/** v3's tokens as API keys of this server. */
export type V3Tokens = ReturnType<typeof v3Tokens>;

export function v3Tokens(deps: { database: Database; events: EventRecorder; clock: Clock }) {
  const { database, events, clock } = deps;
  interface NewRow {
    id: string;
    projectId: number;
    name: string;
    hash: string;
    permissions: string;
    createdAt: number;
  }
  const insert = database.prepare<NewRow, Pick<Schema['api_keys'], 'id'>>((db, value) =>
    db
      .insertInto('api_keys')
      .values({
        id: value('id'),
        project_id: value('projectId'),
        name: value('name'),
        hash: value('hash'),
        // Its last characters are not known: v3 kept the hash alone, as we do.
        preview: 'otp_...',
        permissions: value('permissions'),
        created_at: value('createdAt'),
        usage_count: 0,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id'),
  );

  return {
    /**
     * Makes API keys of the tokens that are not here yet (revoked ones are: they stay revoked) and returns how many.
     * `hash` is the SHA-256 of the whole token, hex; a token without a time, or from the future, counts as made now.
     * All get the `permissions`.
     */
    async take(
      trx: Transaction,
      projectId: number,
      tokens: readonly { hash: string; createdAt: number | undefined }[],
      permissions: readonly Grant[],
      by: Actor,
    ): Promise<number> {
      let taken = 0;
      const now = clock.now();
      for (const { hash, createdAt } of tokens) {
        const madeAt = Math.min(createdAt ?? now, now);
        const [row] = await insert(trx, {
          // Of the time when it was made, so that the list of keys keeps its order.
          id: idOfContent('key', madeAt, `v3 token ${hash}`),
          projectId,
          name: `v3 token ${shownV3Hash(hash)}…`,
          hash,
          permissions: JSON.stringify(permissions),
          createdAt: madeAt,
        });
        if (!row) continue;
        taken += 1;
        const data = { keyId: row.id };
        await events.record(trx, { type: 'key.imported', projectId, data, by, after: { permissions } });
      }
      return taken;
    },
  };
}
