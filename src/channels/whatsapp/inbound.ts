import type { WAMessage } from 'baileys';
import type { Database } from '../../database/database.ts';
import type { EventRecorder } from '../../events/record.ts';
import type { Clock } from '../../lib/clock.ts';
import { MINUTE_MS } from '../../lib/duration.ts';
import { identityOf } from '../../lib/phone.ts';
import type { Troubles } from '../../lib/troubles.ts';
import type { Suppression } from '../../opt-outs/suppression.ts';
import type { BotCommands } from './commands.ts';
import { numberOf } from './jid.ts';
import type { NumberDirectory } from './number-directory.ts';
import { readOptOut } from './opt-out.ts';
import type { Session, Sessions, WhatsAppSocket } from './session.ts';
import { withoutCodes } from './without-codes.ts';

/** A command that comes later than this is not carried out, in ms: it waited somewhere, and surprises by now. */
const COMMAND_AGE_MAX_MS = 2 * MINUTE_MS;
/** What may fail again and again, by its name in the log. */
const TAKE_MESSAGE = 'taking a message to a linked number';
/** Messages of one number that are taken a minute; more are dropped, or a stranger could fill the database. */
const PER_MINUTE_MAX = 20;
/** Numbers and message ids that are remembered. */
const REMEMBERED_MAX = 5_000;

/** Somebody wrote to a linked number. */
interface Incoming {
  /** E.164. */
  from: string;
  /** The address to answer. */
  chat: string;
  text: string;
  /** Unix ms. */
  sentAt: number;
}

export interface InboundOptions {
  sessions: Sessions;
  suppression: Suppression;
  directory: Pick<NumberDirectory, 'forgetAbsence'>;
  commands: BotCommands;
  /** Numbers (E.164) whose commands are carried out. */
  adminNumbers: readonly string[];
  database: Database;
  events: EventRecorder;
  clock: Clock;
  troubles: Troubles;
}

/**
 * Listens to what people write to the linked numbers, in chats of two only. Opt-out words take effect, commands of
 * administrators are carried out, and everything is told as an event. Nobody but an administrator is answered, except
 * that who opts out is told so, once.
 */
export function listenForInbound(options: InboundOptions): void {
  const { sessions, suppression, directory, commands, database, events, clock, troubles } = options;
  const admins = new Set(options.adminNumbers.map(identityOf));
  const seen = new Set<string>();
  const counts = new Map<string, { since: number; count: number }>();
  const heard = new WeakSet<WhatsAppSocket>();

  /** False for what was heard before: WhatsApp repeats what it does not know to have arrived. */
  function isNew(id: string): boolean {
    if (seen.has(id)) return false;
    seen.add(id);
    if (seen.size > REMEMBERED_MAX) seen.delete(seen.keys().next().value!);
    return true;
  }

  function isTooMany(from: string): boolean {
    const now = clock.now();
    const known = counts.get(from);
    const count = known && now - known.since < MINUTE_MS ? known : { since: now, count: 0 };
    count.count += 1;
    counts.set(from, count);
    if (counts.size > REMEMBERED_MAX) counts.delete(counts.keys().next().value!);
    return count.count > PER_MINUTE_MAX;
  }

  /** Resolves to whether it was not so before. */
  async function optOut(
    { projectId, id: sessionId }: Session,
    from: string,
    isOut: boolean,
  ): Promise<boolean> {
    return database.transaction(async (trx) => {
      const hasChanged = isOut
        ? await suppression.add(trx, projectId, from, clock.now())
        : await suppression.remove(trx, projectId, from);
      const type = isOut ? 'number.opted_out' : 'number.opted_in';
      if (hasChanged) await events.record(trx, { type, projectId, data: { sessionId, from } });
      return hasChanged;
    });
  }

  async function receive(session: Session, socket: WhatsAppSocket, message: WAMessage): Promise<void> {
    const incoming = await readIncoming(socket, message);
    if (!incoming || !isNew(`${session.id} ${message.key.id}`)) return;
    const { from, chat, text } = incoming;
    if (isTooMany(from)) return;
    await directory.forgetAbsence(from);
    const { projectId, id: sessionId } = session;
    const wish = readOptOut(text);
    const data = { sessionId, from, text: wish ? text : withoutCodes(text) };
    const isOurs = await database.transaction(async (trx) => {
      // Another process that drives the session by now gets the message, too.
      if (!(await sessions.holds(trx, sessionId))) return false;
      await events.record(trx, { type: 'message.received', projectId, data });
      return true;
    });
    if (!isOurs) return;
    if (wish && (await optOut(session, from, wish.wish === 'stop')) && wish.wish === 'stop') {
      await socket.sendMessage(chat, { text: wish.answer, linkPreview: null });
    }
    if (!admins.has(identityOf(from)) || clock.now() - incoming.sentAt > COMMAND_AGE_MAX_MS) return;
    const answer = await commands.run(text, { projectId, from });
    if (answer !== undefined) await socket.sendMessage(chat, { text: answer, linkPreview: null });
  }

  function listen(session: Session, socket: WhatsAppSocket): void {
    if (heard.has(socket)) return;
    heard.add(socket);
    socket.ev.on('messages.upsert', ({ messages }) => {
      for (const message of messages) {
        receive(session, socket, message).then(
          () => troubles.succeeded(TAKE_MESSAGE),
          (error: unknown) => troubles.failed(TAKE_MESSAGE, error, { fields: { session: session.id } }),
        );
      }
    });
  }

  sessions.on('open', listen);
}

/** What a person wrote in a chat of two; undefined for everything else: groups, status, what the own phone wrote. */
async function readIncoming(socket: WhatsAppSocket, message: WAMessage): Promise<Incoming | undefined> {
  const { key, message: content, messageTimestamp } = message;
  const chat = key.remoteJid;
  if (key.fromMe || !chat || !content || !/@(lid|s\.whatsapp\.net)$/.test(chat)) return undefined;
  // Loaded long since, by the session; before, nothing needs it.
  const { normalizeMessageContent } = await import('baileys');
  const normalized = normalizeMessageContent(content);
  const text = normalized?.conversation ?? normalized?.extendedTextMessage?.text;
  if (!text) return undefined;
  const byNumber = [chat, key.remoteJidAlt].find((jid) => jid?.endsWith('@s.whatsapp.net'));
  const number = await numberOf(socket, byNumber ?? chat);
  if (number === undefined) return undefined;
  return { from: number, chat, text, sentAt: Number(messageTimestamp ?? 0) * 1000 };
}
