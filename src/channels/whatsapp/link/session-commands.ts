import { maskPhone } from '../../../addresses/phone.ts';
import type { Actor, Change } from '../../../database/acts.ts';
import type { Database, Transaction } from '../../../database/database.ts';
import { ConflictError, WotpError } from '../../../errors/errors.ts';
import { changeOf } from '../../../events/change.ts';
import type { EventRecorder } from '../../../events/record.ts';
import type { Logger } from '../../../lib/logger.ts';
import { PROGRAM } from '../../../lib/program.ts';
import { LeaseLostError } from './lease.ts';
import type { LinkedSession } from './linked-session.ts';
import type { LinkingCode, StoredSession } from './repository.ts';

/** What operators can do with a session; every node can be told, and the one that drives the session does it. */
export type Command =
  | { name: 'link' | 'restart' | 'pause' | 'resume' | 'logout' | 'remove' | 'release'; by: Actor }
  | { name: 'change'; changes: { name?: string | null; proxy?: string | null }; by: Actor }
  | { name: 'pairing code requested'; digits: string; by: Actor };

/** Carries out commands on sessions that this process drives. */
export type SessionCommands = ReturnType<typeof sessionCommands>;

export function sessionCommands(deps: {
  database: Database;
  events: EventRecorder;
  log: Logger;
  /** The number to link by pairing code, without +, where that is configured in place of QR codes. */
  pairingDigits?: string | undefined;
  /** Whether this process drives the session, in the transaction of a write for it. */
  holds: (trx: Transaction, sessionId: string) => Promise<boolean>;
  /** Drives the session no more. */
  letGo: (session: LinkedSession) => Promise<void>;
  /** Removes the session, which has been stopped, with the event of it. */
  forget: (session: LinkedSession, by: Actor) => Promise<void>;
}) {
  const { database, events, log, pairingDigits, holds, letGo, forget } = deps;

  /** Records what an operator did with a session. */
  async function record(
    trx: Transaction,
    session: StoredSession,
    action: string,
    by: Actor,
    change: Change = {},
  ): Promise<void> {
    await events.record(trx, {
      type: 'bot.operated',
      projectId: session.projectId,
      data: { sessionId: session.id, action },
      by,
      ...change,
    });
  }

  const audit = (session: StoredSession, action: string, by: Actor): Promise<void> =>
    database.transaction((trx) => record(trx, session, action, by));

  /** As `audit`, of what this process has just done with a session that it drives; `before` is as it was. */
  const auditOwn = (
    { stored }: LinkedSession,
    action: string,
    by: Actor,
    before: ReturnType<typeof sessionInAudit>,
  ): Promise<void> =>
    database.transaction(async (trx) => {
      if (!(await holds(trx, stored.id))) throw new LeaseLostError();
      await record(trx, stored, action, by, changeOf(before, sessionInAudit(stored)));
    });

  async function link(session: LinkedSession): Promise<void> {
    if (pairingDigits === undefined) {
      await session.link();
      return;
    }
    // The session goes on showing QR codes, so there is a way even without the pairing code.
    session.requestPairingCode(pairingDigits).then(
      () =>
        log.info({ session: session.id }, `a pairing code is ready: see it with \`${PROGRAM} bot status\``),
      (error: unknown) => {
        const why = error instanceof WotpError ? { reason: error.message } : { err: error };
        log.warn({ session: session.id, ...why }, 'there is no pairing code');
      },
    );
  }

  return {
    record,
    recordCreated: (trx: Transaction, session: StoredSession, by: Actor) =>
      record(trx, session, 'created', by, { after: sessionInAudit(session) }),
    recordRemoved: (trx: Transaction, session: StoredSession, by: Actor) =>
      record(trx, session, 'removed', by, { before: sessionInAudit(session) }),
    audit,

    /**
     * Resolves when all that the command has changed is on disk; to the code when one was asked for.
     * @throws LeaseLostError when another process drives the session by now
     */
    async run(session: LinkedSession, command: Command): Promise<LinkingCode | undefined> {
      const { by } = command;
      const before = sessionInAudit(session.stored);
      // Before anything is done that WhatsApp would hear of.
      await session.checkLease();
      switch (command.name) {
        case 'link':
          await link(session);
          break;
        case 'pairing code requested': {
          const code = await session.requestPairingCode(command.digits);
          await auditOwn(session, command.name, by, before);
          return code;
        }
        case 'change':
          await session.change(command.changes);
          await auditOwn(session, 'changed', by, before);
          break;
        case 'remove':
          if (session.isLinked) await session.logout();
          await session.stop();
          await forget(session, by);
          break;
        case 'release':
          if (session.isLinked) throw alreadyLinked();
          await letGo(session);
          break;
        default:
          await session[command.name]();
          await auditOwn(session, command.name, by, before);
      }
      await session.kept();
      return undefined;
    },
  };
}

/** What the audit log says of a session. A proxy's address may hold a password. */
function sessionInAudit({ name, state, phone, proxy }: StoredSession) {
  return {
    name,
    state,
    phone: phone === null ? null : maskPhone(phone),
    proxy: proxy === null ? null : 'set',
  };
}

/** There is a phone where none may be. */
export function alreadyLinked(): ConflictError {
  return new ConflictError(
    'A phone is linked to this session already. Log it out, or create another session.',
  );
}
