import type { Selectable } from 'kysely';
import type { Actor } from '../database/acts.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { Schema } from '../database/schema.ts';
import { ConflictError, NotFoundError } from '../errors/errors.ts';
import { changeOf } from '../events/change.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import { newId } from '../lib/id.ts';
import { seal } from '../lib/seal.ts';
import { newSecret } from './signature.ts';

/** How long the secret before a new one signs too, in ms. */
const ROTATION_MS = DAY_MS;
/** Endpoints that a project may have. */
const ENDPOINTS_MAX = 50;
/** Endpoints whose opened secrets are kept in memory at most. */
const OPENED_MAX = 1_000;
/** What every transaction takes that changes endpoints or the order of their deliveries. */
export const WEBHOOKS_LOCK = 'webhooks';

export type EndpointRow = Selectable<Schema['webhook_endpoints']>;

/** What is sealed with an endpoint. */
interface Sealed {
  secret: string;
  /** The secret before this one, and until when it signs as well (Unix ms). */
  previous?: { secret: string; until: number };
  headers: Record<string, string>;
}

/** An endpoint as its owner sees it. */
export interface Endpoint {
  id: string;
  url: string;
  events: string[];
  description: string | null;
  enabled: boolean;
  disabledReason: 'gone' | 'failing' | null;
  /** The names of the headers; their values may be secrets. */
  headerNames: string[];
  failingSince: number | null;
  isRecovering: boolean;
  /** Until when the secret before the present one signs too. */
  previousSecretUntil: number | null;
  createdAt: number;
  updatedAt: number;
}

/** What its owner may set. */
export interface EndpointSettings {
  url: string;
  events: readonly string[];
  description?: string | null | undefined;
  enabled?: boolean | undefined;
  headers?: Record<string, string> | undefined;
}

/** The endpoints of projects. */
export type EndpointService = ReturnType<typeof endpointService>;

export function endpointService(deps: {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  clock: Clock;
  /** Called before the first endpoint is enabled, so that it gets no events from before. */
  beforeFirst: (trx: Transaction) => Promise<void>;
}) {
  const { database, keyring, events, clock, beforeFirst } = deps;

  function sealedOf(id: string, content: Sealed): Pick<EndpointRow, 'sealed' | 'key_version'> {
    return {
      sealed: seal(keyring.key('webhook'), JSON.stringify(content), id),
      key_version: keyring.version,
    };
  }

  /** Undefined where it was damaged. */
  function open({ id, sealed: value, key_version: version }: EndpointRow): Sealed | undefined {
    const text = keyring.open('webhook', { value, version, context: id });
    return text === undefined ? undefined : (JSON.parse(text) as Sealed);
  }

  /** What was opened last of each endpoint, and of which bytes: most attempts go to the same few. */
  const opened = new Map<string, { of: Buffer; sealed: Sealed }>();
  function openOften(row: EndpointRow): Sealed | undefined {
    const known = opened.get(row.id);
    if (known?.of.equals(row.sealed)) return known.sealed;
    const sealed = open(row);
    if (opened.size >= OPENED_MAX) opened.clear();
    if (sealed) opened.set(row.id, { of: row.sealed, sealed });
    return sealed;
  }

  function toEndpoint(row: EndpointRow): Endpoint {
    const sealed = open(row);
    const until = sealed?.previous?.until ?? 0;
    return {
      id: row.id,
      url: row.url,
      events: JSON.parse(row.events) as string[],
      description: row.description,
      enabled: row.enabled === 1,
      disabledReason: row.disabled_reason as Endpoint['disabledReason'],
      headerNames: Object.keys(sealed?.headers ?? {}),
      failingSince: row.failing_since,
      isRecovering: row.recover_since !== null,
      previousSecretUntil: until > clock.now() ? until : null,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    };
  }

  async function find(executor: Executor, projectId: number, id: string): Promise<EndpointRow> {
    const row = await executor
      .selectFrom('webhook_endpoints')
      .selectAll()
      .where('id', '=', id)
      .where('project_id', '=', projectId)
      .where('deleted', '=', 0)
      .executeTakeFirst();
    if (!row) throw new NotFoundError('There is no webhook endpoint with this id.');
    return row;
  }

  type State = Pick<EndpointRow, 'id' | 'project_id' | 'failing_since'>;
  const findState = database.prepare<{ id: string }, State>((db, value) =>
    db
      .selectFrom('webhook_endpoints')
      .select(['id', 'project_id', 'failing_since'])
      .where('id', '=', value('id')),
  );
  const setFailingSince = database.prepareChange<{ id: string; since: number | null }>((db, value) =>
    db
      .updateTable('webhook_endpoints')
      .set({ failing_since: value('since') })
      .where('id', '=', value('id')),
  );
  const firstEnabled = database.prepare<object, { id: string }>((db) =>
    db.selectFrom('webhook_endpoints').select('id').where('enabled', '=', 1).limit(1),
  );

  async function update(
    trx: Transaction,
    { id }: EndpointRow,
    change: Partial<Omit<EndpointRow, 'id'>>,
  ): Promise<EndpointRow> {
    return trx
      .updateTable('webhook_endpoints')
      .set({ ...change, updated_at: clock.now() })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
  }

  /** Records what was done to an endpoint; `before` and `after` are its rows, as far as there were any. */
  async function audit(
    trx: Transaction,
    action: string,
    by: Actor,
    { before, after }: { before?: EndpointRow; after?: EndpointRow },
    change = changeOf(before && inAudit(before), after && inAudit(after)),
  ) {
    const { id, project_id } = (after ?? before)!;
    const data = { webhookId: id, action };
    await events.record(trx, { type: 'webhook.operated', projectId: project_id, data, by, ...change });
  }

  /** What the audit log says of an endpoint: of its URL where it leads, since paths and queries may be secrets. */
  function inAudit(row: EndpointRow) {
    const { url, events: types, description, enabled, headerNames } = toEndpoint(row);
    return { url: new URL(url).origin, events: types, description, enabled, headers: headerNames };
  }

  const anyEnabled = async (executor: Executor) => (await firstEnabled(executor, {})).length > 0;

  async function lockForChange(trx: Transaction, enables: boolean): Promise<void> {
    // The lock of the events comes first, as where they are made into deliveries.
    if (enables && !(await anyEnabled(trx))) await beforeFirst(trx);
    await database.serialize(trx, WEBHOOKS_LOCK);
  }

  async function create(
    trx: Transaction,
    { projectId, origin, by }: { projectId: number; origin: 'api' | 'setting'; by: Actor },
    settings: EndpointSettings,
  ): Promise<{ endpoint: Endpoint; secret: string }> {
    const { url, description = null, enabled = true, headers = {} } = settings;
    await lockForChange(trx, enabled);
    const { count } = await trx
      .selectFrom('webhook_endpoints')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('project_id', '=', projectId)
      .where('deleted', '=', 0)
      .executeTakeFirstOrThrow();
    if (Number(count) >= ENDPOINTS_MAX) {
      throw new ConflictError(
        `This project has ${ENDPOINTS_MAX} webhook endpoints, the maximum. Delete one first.`,
      );
    }
    const now = clock.now();
    const id = newId('whk', now);
    const secret = newSecret();
    const row = await trx
      .insertInto('webhook_endpoints')
      .values({
        id,
        project_id: projectId,
        url,
        events: JSON.stringify(settings.events),
        description,
        origin,
        enabled: enabled ? 1 : 0,
        ...sealedOf(id, { secret, headers }),
        created_at: now,
        updated_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await audit(trx, 'created', by, { after: row });
    return { endpoint: toEndpoint(row), secret };
  }

  async function change(
    trx: Transaction,
    { projectId, id, by }: { projectId: number; id: string; by: Actor },
    { url, events: types, description, enabled, headers }: Partial<EndpointSettings>,
  ): Promise<Endpoint> {
    await lockForChange(trx, enabled === true);
    const row = await find(trx, projectId, id);
    const sealed = open(row);
    const changed = await update(trx, row, {
      ...(url !== undefined && { url }),
      ...(types !== undefined && { events: JSON.stringify(types) }),
      ...(description !== undefined && { description }),
      // Enabled again, it has five days again.
      ...(enabled !== undefined && { enabled: enabled ? 1 : 0, disabled_reason: null, failing_since: null }),
      ...(headers !== undefined && sealedOf(id, { ...(sealed ?? { secret: newSecret() }), headers })),
    });
    await audit(trx, 'changed', by, { before: row, after: changed });
    return toEndpoint(changed);
  }

  return {
    create,
    change,
    /** What is sealed with an endpoint; undefined where it was damaged. */
    open: openOften,

    async list(projectId: number, { limit, cursor }: { limit: number; cursor?: string | undefined }) {
      let query = database.reader
        .selectFrom('webhook_endpoints')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('deleted', '=', 0);
      if (cursor !== undefined) query = query.where('id', '<', cursor);
      const rows = await query
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      const shown = rows.slice(0, limit);
      return {
        endpoints: shown.map(toEndpoint),
        next: rows.length > limit ? shown.at(-1)!.id : null,
      };
    },

    /** @throws NotFoundError */
    async get(projectId: number, id: string, executor: Executor = database.reader): Promise<Endpoint> {
      return toEndpoint(await find(executor, projectId, id));
    },

    /** Deliveries end with it. @throws NotFoundError */
    async remove(trx: Transaction, projectId: number, id: string, by: Actor): Promise<void> {
      await database.serialize(trx, WEBHOOKS_LOCK);
      const row = await find(trx, projectId, id);
      await update(trx, row, { enabled: 0, deleted: 1, recover_since: null });
      await audit(trx, 'deleted', by, { before: row });
    },

    /** Makes a new secret; the one before signs as well for a day. @throws NotFoundError */
    async rotateSecret(trx: Transaction, projectId: number, id: string, by: Actor) {
      await database.serialize(trx, WEBHOOKS_LOCK);
      const row = await find(trx, projectId, id);
      const before = open(row);
      const secret = newSecret();
      const previous = before && { secret: before.secret, until: clock.now() + ROTATION_MS };
      const content = { secret, headers: before?.headers ?? {}, ...(previous && { previous }) };
      const changed = await update(trx, row, sealedOf(id, content));
      await audit(trx, 'secret rotated', by, { before: row, after: changed });
      return { endpoint: toEndpoint(changed), secret };
    },

    /** Begins to send the events since a time (Unix ms) that were not delivered. @throws NotFoundError, ConflictError */
    async recover(trx: Transaction, projectId: number, id: string, since: number, by: Actor): Promise<void> {
      await database.serialize(trx, WEBHOOKS_LOCK);
      const row = await find(trx, projectId, id);
      requireEnabled(row);
      await update(trx, row, { recover_since: since, recover_cursor: null });
      await audit(trx, 'recovered', by, { before: row, after: row });
    },

    /** Records what somebody did with an endpoint that changes nothing of it. @throws NotFoundError */
    async recordAct(trx: Transaction, projectId: number, id: string, action: string, by: Actor) {
      await audit(trx, action, by, { after: await find(trx, projectId, id) }, {});
    },

    /** @throws NotFoundError, ConflictError */
    async requireEnabled(executor: Executor, projectId: number, id: string): Promise<void> {
      requireEnabled(await find(executor, projectId, id));
    },

    /** How an endpoint does, whoever owns it. */
    find: async (executor: Executor, id: string) => (await findState(executor, { id }))[0],

    /** @param since since when every attempt has failed (Unix ms); null after a success */
    async setFailingSince(trx: Transaction, id: string, since: number | null): Promise<void> {
      await setFailingSince(trx, { id, since });
    },

    /** Whether any project has an endpoint that wants events. */
    anyEnabled: () => anyEnabled(database.reader),

    /** Stops sending to an endpoint, and says so with an event. */
    async disable(trx: Transaction, row: Pick<EndpointRow, 'id' | 'project_id'>, reason: 'gone' | 'failing') {
      const changed = await trx
        .updateTable('webhook_endpoints')
        .set({ enabled: 0, disabled_reason: reason, recover_since: null })
        .where('id', '=', row.id)
        .where('enabled', '=', 1)
        .executeTakeFirst();
      if (changed.numUpdatedRows === 0n) return;
      const data = { webhookId: row.id, reason };
      await events.record(trx, { type: 'webhook.disabled', projectId: row.project_id, data });
    },

    /** The ids of the endpoints that the server has disabled, and how many there are in all. */
    async disabled(): Promise<{ ids: string[]; count: number }> {
      const rows = await database.reader
        .selectFrom('webhook_endpoints')
        .select(['id', 'disabled_reason'])
        .where('deleted', '=', 0)
        .orderBy('id')
        .execute();
      const ids = rows.filter((row) => row.disabled_reason !== null).map(({ id }) => id);
      return { ids, count: rows.length };
    },

    /**
     * Makes the endpoint of WEBHOOK_URL what the settings say: enabled with this URL, or disabled where there is none. It
     * gets every event.
     */
    async setByEnvironment(projectId: number, url: string | undefined): Promise<void> {
      const known = await database.reader
        .selectFrom('webhook_endpoints')
        .selectAll()
        .where('origin', '=', 'setting')
        .where('deleted', '=', 0)
        .executeTakeFirst();
      if (url === undefined ? !known?.enabled : known?.url === url && known.enabled === 1) return;
      // One that the server has disabled stays so until its URL changes or somebody enables it.
      if (url !== undefined && known?.url === url && known.disabled_reason !== null) return;
      await database.transaction(async (trx) => {
        const by = { name: 'settings', address: 'local' };
        if (known) {
          const settings = url === undefined ? { enabled: false } : { url, enabled: true };
          await change(trx, { projectId, id: known.id, by }, settings);
        } else if (url !== undefined) {
          await database.serialize(trx, 'webhook endpoint of the settings');
          const again = trx.selectFrom('webhook_endpoints').select('id').where('origin', '=', 'setting');
          if (await again.where('deleted', '=', 0).executeTakeFirst()) return;
          const description = 'WEBHOOK_URL';
          await create(trx, { projectId, origin: 'setting', by }, { url, events: ['*'], description });
        }
      });
    },
  };
}

function requireEnabled({ enabled }: EndpointRow): void {
  if (enabled === 1) return;
  throw new ConflictError(
    'This webhook endpoint is disabled. Enable it first: PATCH it with `enabled: true`.',
  );
}
