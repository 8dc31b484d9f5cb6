import type { Executor, Transaction } from '../../../database/database.ts';
import type { Keyring } from '../../../database/keyring.ts';
import type { Schema } from '../../../database/schema.ts';
import { seal } from '../../../lib/seal.ts';
import type { SessionState } from './session.ts';

type Row = Schema['whatsapp_sessions'];

/** In place of a proxy's address that does not open: nothing can be reached through it. */
const UNREADABLE_PROXY = 'unreadable:';
const PROXY_LOST = 'The stored proxy of this session cannot be read. Set it again, then restart the session.';

/** A code that stands for the session on the phone, by camera or by hand. */
export interface LinkingCode {
  text: string;
  /** Unix ms. */
  expiresAt: number;
}

/** What a phone can be linked with at the moment. */
interface LinkingCodes {
  qr?: LinkingCode;
  pairingCode?: LinkingCode;
}

/** States in which no phone is linked. */
const UNLINKED: readonly SessionState[] = ['new', 'pairing', 'logged_out'];

/** A session as it is stored. Times are Unix ms. */
export interface StoredSession {
  id: string;
  projectId: number;
  name: string | null;
  /** The proxy's address; null for none. */
  proxy: string | null;
  /** E.164; null while no phone is linked. */
  phone: string | null;
  state: SessionState;
  reason: string | null;
  nextAttemptAt: number | null;
  linkedAt: number | null;
  phoneSeenAt: number | null;
  codes: LinkingCodes;
  createdAt: number;
  /** When the lease of the process that drives it ends; absent when it was never driven. */
  leaseUntil?: number;
}

/** What can be changed of a session. */
export type SessionChanges = Partial<Omit<StoredSession, 'id' | 'projectId' | 'createdAt' | 'leaseUntil'>>;

/** The sessions' rows. */
export type SessionRepository = ReturnType<typeof sessionRepository>;

export function sessionRepository(keyring: Keyring) {
  const contextOf = (id: string, what: 'proxy' | 'codes') => `${id}/${what}`;

  function toStored(row: Row): StoredSession {
    const proxy = proxyOf(row);
    return {
      id: row.id,
      projectId: row.project_id,
      name: row.name,
      proxy,
      phone: row.phone,
      state: row.state as SessionState,
      reason: row.reason,
      nextAttemptAt: row.next_attempt_at,
      linkedAt: row.linked_at,
      phoneSeenAt: row.phone_seen_at,
      codes: codesOf(row),
      createdAt: row.created_at,
      leaseUntil: row.lease_until,
      // Without its proxy a session must not connect: WhatsApp would see another address.
      ...(proxy === UNREADABLE_PROXY ? { state: 'action_required' as const, reason: PROXY_LOST } : {}),
    };
  }

  function proxyOf({ id, sealed_proxy: value, key_version: version }: Row): string | null {
    if (value === null) return null;
    return keyring.open('whatsapp', { value, version, context: contextOf(id, 'proxy') }) ?? UNREADABLE_PROXY;
  }

  function codesOf({ id, sealed_codes, codes_key_version }: Row): LinkingCodes {
    if (sealed_codes === null || codes_key_version === null) return {};
    const context = contextOf(id, 'codes');
    const json = keyring.open('whatsapp', { value: sealed_codes, version: codes_key_version, context });
    return json === undefined ? {} : JSON.parse(json);
  }

  function sealedCodes(id: string, codes: LinkingCodes) {
    if (!codes.qr && !codes.pairingCode) return { sealed_codes: null, codes_key_version: null };
    return {
      sealed_codes: seal(keyring.key('whatsapp'), JSON.stringify(codes), contextOf(id, 'codes')),
      codes_key_version: keyring.version,
    };
  }

  const sealedProxy = (id: string, proxy: string | null) => ({
    sealed_proxy: proxy === null ? null : seal(keyring.key('whatsapp'), proxy, contextOf(id, 'proxy')),
    key_version: keyring.version,
  });

  return {
    async insert(trx: Transaction, session: StoredSession): Promise<void> {
      await trx
        .insertInto('whatsapp_sessions')
        .values({
          id: session.id,
          project_id: session.projectId,
          name: session.name,
          ...sealedProxy(session.id, session.proxy),
          phone: session.phone,
          state: session.state,
          reason: session.reason,
          next_attempt_at: session.nextAttemptAt,
          linked_at: session.linkedAt,
          phone_seen_at: session.phoneSeenAt,
          ...sealedCodes(session.id, session.codes),
          created_at: session.createdAt,
          lease_owner: null,
          lease_until: 0,
          lease: 0,
        })
        .execute();
    },

    async update(trx: Transaction, id: string, changes: SessionChanges): Promise<void> {
      const { name, proxy, phone, state, reason, nextAttemptAt, linkedAt, phoneSeenAt, codes } = changes;
      await trx
        .updateTable('whatsapp_sessions')
        // What is not given is undefined, and such columns are left out.
        .set({
          name,
          phone,
          state,
          reason,
          next_attempt_at: nextAttemptAt,
          linked_at: linkedAt,
          phone_seen_at: phoneSeenAt,
          ...(proxy === undefined ? {} : sealedProxy(id, proxy)),
          ...(codes === undefined ? {} : sealedCodes(id, codes)),
        })
        .where('id', '=', id)
        .execute();
    },

    /** The id of another session in which this number (E.164) is linked; undefined when there is none. */
    async holderOf(executor: Executor, phone: string, id: string): Promise<string | undefined> {
      const row = await executor
        .selectFrom('whatsapp_sessions')
        .select('id')
        .where('phone', '=', phone)
        .where('id', '<>', id)
        .where('state', 'not in', UNLINKED)
        .executeTakeFirst();
      return row?.id;
    },

    /** Removes the session with all that was kept for it; what its number has sent stays the number's. */
    async remove(trx: Transaction, id: string): Promise<void> {
      for (const table of ['whatsapp_auth', 'whatsapp_chats'] as const) {
        await trx.deleteFrom(table).where('session_id', '=', id).execute();
      }
      await trx.deleteFrom('whatsapp_sessions').where('id', '=', id).execute();
    },

    /** All of a project, or of all projects; oldest first. */
    async list(executor: Executor, projectId?: number): Promise<StoredSession[]> {
      let query = executor.selectFrom('whatsapp_sessions').selectAll().orderBy('id');
      if (projectId !== undefined) query = query.where('project_id', '=', projectId);
      return (await query.execute()).map(toStored);
    },

    /** The first `limit` of a project that follow the id `after`, oldest first. */
    async page(
      executor: Executor,
      projectId: number,
      { after, limit }: { after: string | undefined; limit: number },
    ): Promise<StoredSession[]> {
      let query = executor.selectFrom('whatsapp_sessions').selectAll().where('project_id', '=', projectId);
      if (after !== undefined) query = query.where('id', '>', after);
      return (await query.orderBy('id').limit(limit).execute()).map(toStored);
    },

    /**
     * Takes the lease; undefined while another process holds it. What is stored is read under it, so that what the last
     * holder has written is in it.
     * @param force takes it from whoever holds it, where no other process can be alive
     */
    async lease(
      trx: Transaction,
      id: string,
      { owner, until, now, force }: Claim,
    ): Promise<{ number: number; stored: StoredSession } | undefined> {
      const row = await trx
        .updateTable('whatsapp_sessions')
        .set((eb) => ({
          lease: eb
            .case()
            .when('lease_owner', '=', owner)
            .then(eb.ref('lease'))
            .else(eb('lease', '+', 1))
            .end(),
          lease_owner: owner,
          lease_until: until,
        }))
        .where('id', '=', id)
        .where((eb) =>
          force
            ? eb.lit(true)
            : eb.or([
                eb('lease_owner', 'is', null),
                eb('lease_owner', '=', owner),
                eb('lease_until', '<=', now),
              ]),
        )
        .returningAll()
        .executeTakeFirst();
      return row && { number: row.lease, stored: toStored(row) };
    },

    /** Renews the leases that a process still holds of these sessions; resolves to their numbers, by session. */
    async renew(
      trx: Transaction,
      ids: readonly string[],
      { owner, until }: Pick<Claim, 'owner' | 'until'>,
    ): Promise<Map<string, number>> {
      const rows = await trx
        .updateTable('whatsapp_sessions')
        .set({ lease_until: until })
        .where('id', 'in', ids)
        .where('lease_owner', '=', owner)
        .returning(['id', 'lease'])
        .execute();
      return new Map(rows.map((row) => [row.id, row.lease]));
    },

    /** Whether this lease is the one in force. */
    async holds(executor: Executor, id: string, owner: string, lease: number): Promise<boolean> {
      const row = await executor
        .selectFrom('whatsapp_sessions')
        .select('id')
        .where('id', '=', id)
        .where('lease_owner', '=', owner)
        .where('lease', '=', lease)
        .executeTakeFirst();
      return row !== undefined;
    },

    /** Gives the lease back, so that another process need not wait for its end. */
    async release(trx: Transaction, id: string, owner: string, lease: number): Promise<void> {
      await trx
        .updateTable('whatsapp_sessions')
        .set({ lease_owner: null, lease_until: 0 })
        .where('id', '=', id)
        .where('lease_owner', '=', owner)
        .where('lease', '=', lease)
        .execute();
    },
  };
}

interface Claim {
  owner: string;
  /** Unix ms. */
  until: number;
  now: number;
  force: boolean;
}
