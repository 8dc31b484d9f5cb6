import { randomUUID } from 'node:crypto';
import type { Database, Transaction } from '../../../database/database.ts';
import type { Keyring } from '../../../database/keyring.ts';
import type { ErrorCode } from '../../../errors/codes.ts';
import { ConflictError, WotpError } from '../../../errors/errors.ts';
import type { Clock } from '../../../lib/clock.ts';
import { MINUTE_MS } from '../../../lib/duration.ts';
import type { Logger } from '../../../lib/logger.ts';
import { pause } from '../../../lib/pause.ts';
import { seal, unseal } from '../../../lib/seal.ts';

/** How long the node that drives a session may take to answer, in ms. */
const ANSWER_MAX_MS = 20_000;
const LOOK_EVERY_MS = 200;
/** What is older was left by a node that died while it waited, in ms. */
const LEFT_BEHIND_MS = MINUTE_MS;

/** The number of the lease by which this node drives the session, in the transaction of a write; undefined when it does not. */
type LeaseOf = (trx: Transaction, sessionId: string) => Promise<number | undefined>;

/** What came of a command; `value` is what it has given, as JSON. */
type Answer = { value: unknown } | { code: ErrorCode; message: string };

/**
 * Commands for sessions that another node drives, left in the database where that node finds them. Commands and
 * answers are sealed: they can hold a proxy's password or a code that links a phone.
 */
export interface RemoteCommands<Command> {
  /**
   * Leaves a command for whoever drives the session, and resolves to what it has given.
   * @throws WotpError as the other node has thrown it; ConflictError when nobody has answered in time
   */
  ask(sessionId: string, command: Command, signal: AbortSignal): Promise<unknown>;
  /**
   * Takes the commands for these sessions, each once and only while it is waited for, and answers with what `run` gives.
   * A command is taken only by who drives the session, and its answer left only as long as nobody else has since.
   */
  answer(
    sessionIds: readonly string[],
    run: (sessionId: string, command: Command) => Promise<unknown>,
    leaseOf: LeaseOf,
  ): Promise<void>;
  /** Throws away what nobody waits for any more. */
  tidy(): Promise<void>;
}

export function remoteCommands<Command>(deps: {
  database: Database;
  keyring: Keyring;
  clock: Clock;
  log: Logger;
}): RemoteCommands<Command> {
  const { database, keyring, clock, log } = deps;
  const sealed = (id: string, what: 'command' | 'answer', content: unknown) =>
    seal(keyring.key('whatsapp'), JSON.stringify(content), `${id}/${what}`);
  const opened = (id: string, what: 'command' | 'answer', content: Buffer, version: number): unknown =>
    JSON.parse(unseal(keyring.key('whatsapp', version), content, `${id}/${what}`));

  async function answerOf(id: string): Promise<Answer | undefined> {
    const row = await database.reader
      .selectFrom('whatsapp_commands')
      .select(['sealed_answer', 'answer_key_version'])
      .where('id', '=', id)
      .executeTakeFirst();
    if (!row?.sealed_answer) return undefined;
    return opened(id, 'answer', row.sealed_answer, row.answer_key_version!) as Answer;
  }

  async function remove(id: string): Promise<void> {
    await database.transaction(
      async (trx) => void (await trx.deleteFrom('whatsapp_commands').where('id', '=', id).execute()),
    );
  }

  /** Takes a command, which nobody else does any more; undefined when it is not waited for, or not for this node. */
  async function take(
    id: string,
    sessionId: string,
    leaseOf: LeaseOf,
  ): Promise<{ command: Command; lease: number } | undefined> {
    const taken = await database.transaction(async (trx) => {
      const lease = await leaseOf(trx, sessionId);
      if (lease === undefined) return undefined;
      const row = await trx
        .updateTable('whatsapp_commands')
        .set({ taken_at: clock.now() })
        .where('id', '=', id)
        .where('taken_at', 'is', null)
        .returningAll()
        .executeTakeFirst();
      return row && { row, lease };
    });
    if (!taken) return undefined;
    const { row, lease } = taken;
    return { command: opened(id, 'command', row.sealed_command, row.key_version) as Command, lease };
  }

  /** The lease may have been given back by the command itself, or the session removed. */
  async function keepAnswer(id: string, sessionId: string, answer: Answer, lease: number): Promise<void> {
    const columns = { sealed_answer: sealed(id, 'answer', answer), answer_key_version: keyring.version };
    await database.transaction(async (trx) => {
      await database.serialize(trx, sessionId);
      await trx
        .updateTable('whatsapp_commands')
        .set(columns)
        .where('id', '=', id)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('whatsapp_sessions')
                .select('id')
                .where('id', '=', sessionId)
                .where('lease', '>', lease),
            ),
          ),
        )
        .execute();
    });
  }

  return {
    async ask(sessionId, command, signal) {
      const id = randomUUID();
      const asked_at = clock.now();
      await database.transaction(async (trx) => {
        await trx
          .insertInto('whatsapp_commands')
          .values({
            id,
            session_id: sessionId,
            sealed_command: sealed(id, 'command', command),
            key_version: keyring.version,
            asked_at,
            taken_at: null,
            sealed_answer: null,
            answer_key_version: null,
          })
          .execute();
      });
      try {
        while (clock.now() - asked_at < ANSWER_MAX_MS && !signal.aborted) {
          await pause(clock, LOOK_EVERY_MS, signal);
          const answer = await answerOf(id);
          if (!answer) continue;
          if ('code' in answer) throw new WotpError(answer.code, answer.message);
          return answer.value;
        }
      } finally {
        // A command that is taken after this finds nobody who waits for it.
        await remove(id);
      }
      throw new ConflictError(
        'Another node drives this session and has not answered in time. Check its state, and try again in 30 s.',
      );
    },

    async answer(sessionIds, run, leaseOf) {
      if (sessionIds.length === 0) return;
      const waiting = await database.reader
        .selectFrom('whatsapp_commands')
        .select(['id', 'session_id'])
        .where('session_id', 'in', sessionIds)
        .where('taken_at', 'is', null)
        .where('asked_at', '>', clock.now() - ANSWER_MAX_MS)
        .orderBy('asked_at')
        .execute();
      await Promise.all(
        waiting.map(async ({ id, session_id: sessionId }) => {
          const taken = await take(id, sessionId, leaseOf);
          if (!taken) return;
          const answer = await run(sessionId, taken.command).then(
            (value): Answer => ({ value: value ?? null }),
            (error: unknown): Answer => {
              if (error instanceof WotpError) return { code: error.code, message: error.message };
              log.error({ session: sessionId, err: error }, 'a command from another node failed');
              return { code: 'INTERNAL_ERROR', message: 'The node that drives this session has failed.' };
            },
          );
          await keepAnswer(id, sessionId, answer, taken.lease);
        }),
      );
    },

    async tidy() {
      const before = clock.now() - LEFT_BEHIND_MS;
      await database.transaction(
        async (trx) =>
          void (await trx.deleteFrom('whatsapp_commands').where('asked_at', '<', before).execute()),
      );
    },
  };
}
