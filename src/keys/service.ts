import { hash } from 'node:crypto';
import type { Database, Transaction } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import { NotFoundError, PermissionError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { pooledRandomBytes } from '../lib/random.ts';
import { firstNotGrantable, type Grant } from './permissions.ts';

type KeyRow = Schema['api_keys'];

/** An API key as its owners see it; the key itself is shown once, when it is made. Times are Unix ms. */
export interface ApiKey {
  id: string;
  projectId: string;
  name: string;
  keyPreview: string;
  permissions: Grant[];
  /** Requests a window; null for the server's default. */
  rateLimit: number | null;
  expiresAt: number | null;
  createdAt: number;
  usageCount: number;
  lastUsed: number | null;
}

export interface NewKey {
  projectId: string;
  name: string;
  permissions: readonly Grant[];
  rateLimit?: number | null;
  expiresAt?: number | null;
}

/** Who makes or revokes a key: its id for the audit, and what it holds itself. */
export interface KeyActor {
  name: string;
  grants: readonly Grant[];
}

/** How keys begin: WOTP 4's own, and those of v3 clients. */
export type KeyPrefix = 'wotp_' | 'otp_';

const KEY_FORM = /^(?:wotp|otp)_[0-9a-f]{64}$/;
const SECRET_BYTES = 32;
const REMEMBERED_MAX = 10_000;

/** API keys: made, found by their hash, revoked. */
export type KeyService = ReturnType<typeof keyService>;

export function keyService(deps: { database: Database; events: EventRecorder; clock: Clock }) {
  const { database, events, clock } = deps;
  const usage = new Map<string, { count: number; lastUsed: number }>();
  // Only where no other process can revoke a key behind our back; emptied before a revocation is answered.
  const remembered = new Map<string, KeyRow>();
  let revocations = 0;

  const byHash = database.prepare<{ hash: string }, KeyRow>((db, value) =>
    db.selectFrom('api_keys').selectAll().where('hash', '=', value('hash')).where('revoked_at', 'is', null),
  );
  const addUsage = database.prepare<{ id: string; count: number; lastUsed: number }, unknown>((db, value) =>
    db
      .updateTable('api_keys')
      .set((eb) => ({ usage_count: eb('usage_count', '+', value('count')), last_used_at: value('lastUsed') }))
      .where('id', '=', value('id')),
  );

  function toKey(row: KeyRow): ApiKey {
    const pending = usage.get(row.id);
    return {
      id: row.id,
      projectId: row.project_id,
      name: row.name,
      keyPreview: row.preview,
      permissions: JSON.parse(row.permissions) as Grant[],
      rateLimit: row.rate_limit,
      expiresAt: row.expires_at,
      createdAt: row.created_at,
      usageCount: row.usage_count + (pending?.count ?? 0),
      lastUsed: pending?.lastUsed ?? row.last_used_at,
    };
  }

  return {
    /**
     * Makes a key and returns it once.
     * @throws PermissionError when the actor would give a permission that it lacks
     */
    async create(
      trx: Transaction,
      wanted: NewKey,
      actor: KeyActor,
      prefix: KeyPrefix = 'wotp_',
    ): Promise<ApiKey & { key: string }> {
      const missing = firstNotGrantable(actor.grants, wanted.permissions);
      if (missing !== undefined) throw new PermissionError(missing);
      const key = prefix + pooledRandomBytes(SECRET_BYTES).toString('hex');
      const now = clock.now();
      const row: KeyRow = {
        id: newId('key', now),
        project_id: wanted.projectId,
        name: wanted.name,
        hash: hashOf(key),
        preview: `${prefix}...${key.slice(-8)}`,
        permissions: JSON.stringify([...new Set(wanted.permissions)]),
        rate_limit: wanted.rateLimit ?? null,
        expires_at: wanted.expiresAt ?? null,
        revoked_at: null,
        created_at: now,
        usage_count: 0,
        last_used_at: null,
      };
      await trx.insertInto('api_keys').values(row).execute();
      await events.record(trx, {
        type: 'key.created',
        projectId: row.project_id,
        data: { keyId: row.id, actor: actor.name },
      });
      return { ...toKey(row), key };
    },

    /** A project's keys that are not revoked, newest first. */
    async list(
      projectId: string,
      page: { cursor?: string; limit: number },
    ): Promise<{ keys: ApiKey[]; next: string | null }> {
      let query = database.reader
        .selectFrom('api_keys')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('revoked_at', 'is', null);
      if (page.cursor) query = query.where('id', '<', page.cursor);
      const rows = await query
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
        .execute();
      const shown = rows.slice(0, page.limit);
      return { keys: shown.map(toKey), next: rows.length > page.limit ? shown.at(-1)!.id : null };
    },

    /** Revokes a key; once this has settled, every request with it is refused. Throws NotFoundError. */
    async revoke(projectId: string, id: string, actor: KeyActor): Promise<void> {
      await database.transaction(async (trx) => {
        const revoked = await trx
          .updateTable('api_keys')
          .set({ revoked_at: clock.now() })
          .where('id', '=', id)
          .where('project_id', '=', projectId)
          .where('revoked_at', 'is', null)
          .returning('id')
          .execute();
        if (revoked.length === 0) throw new NotFoundError('There is no API key with this id.');
        await events.record(trx, {
          type: 'key.revoked',
          projectId,
          data: { keyId: id, actor: actor.name },
        });
      });
      revocations += 1;
      remembered.clear();
    },

    /** The key a request carries; undefined when it is unknown, revoked or expired. */
    async authenticate(key: string): Promise<ApiKey | undefined> {
      if (!KEY_FORM.test(key)) return undefined;
      const hash = hashOf(key);
      let row = remembered.get(hash);
      if (!row) {
        const seen = revocations;
        [row] = await byHash(database.reader, { hash });
        if (!row) return undefined;
        if (database.isExclusive && seen === revocations && remembered.size < REMEMBERED_MAX)
          remembered.set(hash, row);
      }
      if (row.expires_at !== null && row.expires_at <= clock.now()) return undefined;
      return toKey(row);
    },

    /** Counts one request of a key. Kept in memory until `flushUsage`. */
    countUse(id: string): void {
      const entry = usage.get(id);
      if (entry) {
        entry.count += 1;
        entry.lastUsed = clock.now();
      } else usage.set(id, { count: 1, lastUsed: clock.now() });
    },

    /** Writes the counted uses, one row a key however many requests it made. */
    async flushUsage(): Promise<void> {
      if (usage.size === 0) return;
      // In one order for all processes, so that they do not wait for each other crosswise.
      const counted = [...usage].sort(([a], [b]) => (a < b ? -1 : 1));
      usage.clear();
      try {
        await database.transaction(async (trx) => {
          for (const [id, { count, lastUsed }] of counted) await addUsage(trx, { id, count, lastUsed });
        });
      } catch (error) {
        for (const [id, { count, lastUsed }] of counted) {
          const since = usage.get(id);
          usage.set(id, since ? { ...since, count: since.count + count } : { count, lastUsed });
        }
        throw error;
      }
    },
  };
}

function hashOf(key: string): string {
  return hash('sha256', key, 'hex');
}
