import type { WAMessage } from 'baileys';
import { identityOf } from '../../../addresses/phone.ts';
import type { Troubles } from '../../../background/troubles.ts';
import type { Database } from '../../../database/database.ts';
import type { EventRecorder } from '../../../events/record.ts';
import type { Clock } from '../../../lib/clock.ts';
import { HOUR_MS, MINUTE_MS } from '../../../lib/duration.ts';
import { inboundTexts } from '../../../messages/inbound-text.ts';
import type { Suppression } from '../../../opt-outs/suppression.ts';
import { numberOf } from '../jid.ts';
import type { Session, Sessions, WhatsAppSocket } from '../link/session.ts';
import type { NumberDirectory } from '../send/number-directory.ts';

/** A command that comes later than this is not carried out, in ms: it waited somewhere, and surprises by now. */
const COMMAND_AGE_MAX_MS = 2 * MINUTE_MS;
/** What may fail again and again, by its name in the log. */
const TAKE_MESSAGE = 'taking a message to a linked number';
/** Messages of one number that are taken a minute; more are dropped, or a stranger could fill the database. */
const PER_MINUTE_MAX = 20;
/** Who opts out again and again is answered once in this time, in ms. */
const ANSWER_EVERY_MS = HOUR_MS;
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
  /** Carries out a command line and resolves to the answer; undefined when it is none. */
  runCommand: (text: string, from: { projectId: number; from: string }) => Promise<string | undefined>;
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
 * that who opts out is told so, once an hour at most.
 */
export function listenForInbound(options: InboundOptions): void {
  const { sessions, directory, runCommand, clock, troubles } = options;
  const texts = inboundTexts(options);
  const admins = new Set(options.adminNumbers.map(identityOf));
  const seen = new Set<string>();
  const counts = new Map<string, { since: number; count: number }>();
  const answeredAt = new Map<string, number>();
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

  /** Whether a number may be told that it opted out: by alternating STOP and START it could make ours send for ever. */
  function mayAnswer(who: string): boolean {
    const now = clock.now();
    if (now - (answeredAt.get(who) ?? Number.NEGATIVE_INFINITY) < ANSWER_EVERY_MS) return false;
    // Behind all others: the oldest answer is the first to be forgotten.
    answeredAt.delete(who);
    answeredAt.set(who, now);
    if (answeredAt.size > REMEMBERED_MAX) answeredAt.delete(answeredAt.keys().next().value!);
    return true;
  }

  async function receive(session: Session, socket: WhatsAppSocket, message: WAMessage): Promise<void> {
    const incoming = await readIncoming(socket, message);
    if (!incoming || !isNew(`${session.id} ${message.key.id}`)) return;
    const { from, chat, text } = incoming;
    if (isTooMany(from)) return;
    await directory.forgetAbsence(from);
    const { projectId, id: sessionId } = session;
    // Another process that drives the session by now gets the message, too.
    const taken = await texts.take({ projectId, sessionId, from, text }, (trx) =>
      sessions.holds(trx, sessionId),
    );
    if (!taken) return;
    const { answer: confirmation, hasChanged } = taken.wish ?? {};
    if (confirmation !== undefined && hasChanged && mayAnswer(`${projectId} ${from}`)) {
      await socket.sendMessage(chat, { text: confirmation, linkPreview: null });
    }
    if (!admins.has(identityOf(from)) || clock.now() - incoming.sentAt > COMMAND_AGE_MAX_MS) return;
    const answer = await runCommand(text, { projectId, from });
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
