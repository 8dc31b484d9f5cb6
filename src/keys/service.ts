import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '../database/acts.ts';
import type { Database, Transaction } from '../database/database.ts';
import { ofProject } from '../database/project.ts';
import type { Schema } from '../database/schema.ts';
import { AuthenticationError, NotFoundError, PermissionError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import { actorOf, type CallingKey } from '../http/caller.ts';
import { firstNotGrantable, type Grant } from '../http/permissions.ts';
import { isoOrNull } from '../http/schemas.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { pooledRandomBytes } from '../lib/random.ts';
import type { Settings } from '../settings/settings.ts';
import { boundsWithin } from './parent-bounds.ts';

type KeyRow = Schema['api_keys'];
/** A key with the limit of its family's first key, and its project's id in the API. */
type FoundRow = KeyRow & { root_rate_limit: number | null; public_project_id: string };

/** An API key as its owners see it; the key itself is shown once, when it is made. Times are Unix ms. */
export interface ApiKey {
  id: string;
  projectId: number;
  name: string;
  keyPreview: string;
  permissions: Grant[];
  /** Requests a window; null for the server's default. */
  rateLimit: number | null;
  expiresAt: number | null;
  createdAt: number;
  /** The key that created it; null where the administrator did. */
  parentId: string | null;
  usageCount: number;
  lastUsed: number | null;
}

export interface NewKey {
  projectId: number;
  name: string;
  permissions: readonly Grant[];
  rateLimit?: number | null;
  expiresAt?: number | null;
}

/** Who makes or revokes a key, for the audit, and what it holds itself. */
export interface KeyActor {
  by: Actor;
  grants: readonly Grant[];
  /** The key that acts; absent for the administrator. */
  key?: CallingKey;
}

/** Who makes a request, as the one who creates or revokes keys. */
export const keyActorOf = (request: FastifyRequest): KeyActor => ({
  by: actorOf(request),
  grants: request.caller.grants,
  ...(request.caller.key && { key: request.caller.key }),
});

/** How keys begin: WOTP 4's own, and those of v3 clients. */
export type KeyPrefix = 'wotp_' | 'otp_';

/** What a request with a key that is no good is told. */
export const UNUSABLE = 'The API key is unknown, revoked or expired.';

const KEY_FORM = /^(?:wotp|otp)_[0-9a-f]{64}$/;
/** Whether a text can be an API key at all, or a v3 token. */
export const isKeyShaped = (text: string) => KEY_FORM.test(text);

const SECRET_BYTES = 32;
const REMEMBERED_MAX = 10_000;

/** API keys: made, found by their hash, revoked. */
export type KeyService = ReturnType<typeof keyService>;

export function keyService(deps: {
  database: Database;
  events: EventRecorder;
  clock: Clock;
  settings: Settings;
}) {
  const { database, events, clock, settings } = deps;
  const usage = new Map<string, { count: number; lastUsed: number }>();
  // Only where no other process can revoke a key behind our back; emptied before a revocation is answered.
  const remembered = new Map<string, CallingKey>();
  let revocations = 0;

  const byHash = database.prepare<{ hash: string }, FoundRow>((db, value) =>
    db
      .selectFrom('api_keys')
      .innerJoin('projects', 'projects.number', 'api_keys.project_id')
      .selectAll('api_keys')
      .select('projects.id as public_project_id')
      .select((eb) =>
        eb
          .selectFrom('api_keys as root')
          .select('root.rate_limit')
          .whereRef('root.id', '=', 'api_keys.root_id')
          .as('root_rate_limit'),
      )
      .where('hash', '=', value('hash'))
      .where('revoked_at', 'is', null)
      .where('projects.deleted_at', 'is', null),
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
      ...withoutUse(row),
      usageCount: row.usage_count + (pending?.count ?? 0),
      lastUsed: pending?.lastUsed ?? row.last_used_at,
    };
  }

  function withoutUse(row: KeyRow): Omit<ApiKey, 'usageCount' | 'lastUsed'> {
    return {
      id: row.id,
      projectId: row.project_id,
      name: row.name,
      keyPreview: row.preview,
      permissions: JSON.parse(row.permissions) as Grant[],
      rateLimit: row.rate_limit,
      expiresAt: row.expires_at,
      createdAt: row.created_at,
      parentId: row.parent_id,
    };
  }

  /** So that no key is created by one that is being revoked. */
  const loneKeeper = (trx: Transaction, projectId: number) => database.serialize(trx, `keys of ${projectId}`);

  /** Revokes those of these keys that are not yet, and resolves to them. */
  async function markRevoked(
    trx: Transaction,
    projectId: number,
    where: { id?: string; parents?: string[] },
  ) {
    let query = trx
      .updateTable('api_keys')
      .set({ revoked_at: clock.now() })
      .where('project_id', '=', projectId)
      .where('revoked_at', 'is', null);
    if (where.id !== undefined) query = query.where('id', '=', where.id);
    if (where.parents !== undefined) query = query.where('parent_id', 'in', where.parents);
    return query.returningAll().execute();
  }

  return {
    /**
     * Creates a key and returns it once. One that a key creates is bounded by it, and ends with it.
     * @throws PermissionError when the actor would give a permission that it lacks, WotpError FORBIDDEN when it would
     * give more time or requests than it has, AuthenticationError when it has just been revoked
     */
    async create(
      trx: Transaction,
      wanted: NewKey,
      actor: KeyActor,
      prefix: KeyPrefix = 'wotp_',
    ): Promise<ApiKey & { key: string }> {
      const missing = firstNotGrantable(actor.grants, wanted.permissions);
      if (missing !== undefined) throw new PermissionError(missing);
      const parent = actor.key;
      const bounds = parent
        ? boundsWithin(parent, wanted, settings.of(parent.projectId).keyRequests)
        : { rateLimit: wanted.rateLimit ?? null, expiresAt: wanted.expiresAt ?? null };
      if (parent) {
        await loneKeeper(trx, parent.projectId);
        const isGood = trx.selectFrom('api_keys').select('id').where('id', '=', parent.id);
        if (!(await isGood.where('revoked_at', 'is', null).executeTakeFirst()))
          throw new AuthenticationError(UNUSABLE);
      }
      const key = prefix + pooledRandomBytes(SECRET_BYTES).toString('hex');
      const now = clock.now();
      const row: KeyRow = {
        id: newId('key', now),
        project_id: wanted.projectId,
        name: wanted.name,
        hash: hashOf(key),
        preview: `${prefix}...${key.slice(-8)}`,
        permissions: JSON.stringify([...new Set(wanted.permissions)]),
        rate_limit: bounds.rateLimit,
        expires_at: bounds.expiresAt,
        revoked_at: null,
        created_at: now,
        usage_count: 0,
        last_used_at: null,
        parent_id: parent?.id ?? null,
        root_id: parent?.root?.id ?? parent?.id ?? null,
      };
      await trx.insertInto('api_keys').values(row).execute();
      await events.record(trx, {
        type: 'key.created',
        projectId: row.project_id,
        data: { keyId: row.id },
        by: actor.by,
        after: inAudit(row),
      });
      return { ...toKey(row), key };
    },

    /** A project's keys that are not revoked, newest first. */
    async list(
      projectId: number,
      page: { cursor?: string; limit: number },
    ): Promise<{ keys: ApiKey[]; next: string | null }> {
      let query = database.reader
        .selectFrom('api_keys')
        .selectAll()
        .where(ofProject(projectId))
        .where('revoked_at', 'is', null);
      if (page.cursor) query = query.where('id', '<', page.cursor);
      const rows = await query
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
        .execute();
      const shown = rows.slice(0, page.limit);
      return { keys: shown.map(toKey), next: rows.length > page.limit ? shown.at(-1)!.id : null };
    },

    /**
     * Revokes a key, and with it all that it created, and what those did; once this has settled, every request with any
     * of them is refused. Throws NotFoundError.
     */
    async revoke(projectId: number, id: string, actor: KeyActor): Promise<void> {
      await database.transaction(async (trx) => {
        await loneKeeper(trx, projectId);
        let revoked = await markRevoked(trx, projectId, { id });
        if (revoked.length === 0) throw new NotFoundError('There is no API key with this id.');
        while (revoked.length > 0) {
          for (const row of revoked) {
            const data = { keyId: row.id, ...(row.id === id ? {} : { with: id }) };
            const before = inAudit(row);
            await events.record(trx, { type: 'key.revoked', projectId, data, by: actor.by, before });
          }
          revoked = await markRevoked(trx, projectId, { parents: revoked.map((row) => row.id) });
        }
      });
      revocations += 1;
      remembered.clear();
    },

    /** Revokes every key of a project with the transaction, without an event for each. */
    async revokeAll(trx: Transaction, projectId: number): Promise<void> {
      await loneKeeper(trx, projectId);
      await markRevoked(trx, projectId, {});
      database.afterCommit(trx, () => {
        revocations += 1;
        remembered.clear();
      });
    },

    /** The key a request carries; undefined when it is unknown, revoked or expired. */
    async authenticate(key: string): Promise<CallingKey | undefined> {
      if (!isKeyShaped(key)) return undefined;
      const hash = hashOf(key);
      let found = remembered.get(hash);
      if (!found) {
        const seen = revocations;
        const [row] = await byHash(database.reader, { hash });
        if (!row) return undefined;
        const { root_id: id, root_rate_limit: rateLimit, public_project_id: publicProjectId } = row;
        found = { ...withoutUse(row), publicProjectId, root: id === null ? null : { id, rateLimit } };
        if (database.isExclusive && seen === revocations && remembered.size < REMEMBERED_MAX)
          remembered.set(hash, found);
      }
      return found.expiresAt !== null && found.expiresAt <= clock.now() ? undefined : found;
    },

    /** What each of these keys may do now; those that are unknown, revoked or expired are left out. */
    async grantsOf(ids: readonly string[]): Promise<ReadonlyMap<string, readonly Grant[]>> {
      if (ids.length === 0) return new Map();
      const rows = await database.reader
        .selectFrom('api_keys')
        .select(['id', 'permissions', 'expires_at'])
        .where('id', 'in', [...ids])
        .where('revoked_at', 'is', null)
        .execute();
      const now = clock.now();
      return new Map(
        rows
          .filter(({ expires_at }) => expires_at === null || expires_at > now)
          .map(({ id, permissions }) => [id, JSON.parse(permissions) as Grant[]]),
      );
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

/** What the audit log says of a key. */
function inAudit({ name, permissions, rate_limit, expires_at, parent_id }: KeyRow) {
  return {
    name,
    permissions: JSON.parse(permissions) as Grant[],
    rateLimit: rate_limit,
    expiresAt: isoOrNull(expires_at),
    parentId: parent_id,
  };
}

function hashOf(key: string): string {
  return hash('sha256', key, 'hex');
}
