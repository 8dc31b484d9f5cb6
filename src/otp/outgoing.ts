import type { Routing } from '../channels/route.ts';
import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { WotpError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import type { ChannelName } from '../messages/channel.ts';
import type { MessageOwner } from '../messages/owner.ts';
import type { MessageService } from '../messages/service.ts';
import type { Lane, MessageRef, NewMessage, Said } from '../messages/types.ts';
import type { Settings } from '../settings/settings.ts';
import type { MessageTexts } from '../templates/message-texts.ts';
import { afterFailure, moveTime, nextStep, orWait } from './chain.ts';
import { messageIdsOf, routeOf, sendsOf } from './destination.ts';
import type { VerificationEnder } from './ending.ts';
import { verificationContent } from './message-owner.ts';
import { reachOf } from './person.ts';
import { EXPIRED } from './refusals.ts';
import type { DestinationRow, Send, VerificationRepository } from './repository.ts';
import { variableWithCode } from './send-request.ts';
import { statusAt } from './state-machine.ts';
import { UNSENT } from './test-send.ts';

/** While no channel that follows can be begun, it is looked again after this, in ms. */
const LOOK_AGAIN_MS = 5_000;

/** So much of a refusal is repeated where the next channel takes over, in characters. */
const REFUSAL_MAX = 100;

const DISOWNED = 'the recipient did not request this code';

/** What the timeline calls a channel. */
const CALLED: Record<ChannelName, string> = {
  whatsapp: 'WhatsApp',
  cloud_api: 'the WhatsApp Cloud API',
  email: 'e-mail',
  sms: 'SMS',
  http: 'the HTTP provider',
  simulator: 'the virtual phone',
};

/** Why a channel is used, as the timeline says it. */
export const sentBy = (channel: ChannelName, why: string) => `${why}: sent by ${CALLED[channel]}`;

const hasCodeInValues = (said: Said | undefined, code: string) =>
  said?.template !== undefined && variableWithCode(JSON.parse(said.content ?? '{}'), code) !== undefined;

const shortened = (reason: string) =>
  reason.length > REFUSAL_MAX ? `${reason.slice(0, REFUSAL_MAX)}…` : reason;

/** The messages of verifications, and their way along the route. */
export function outgoing(deps: {
  database: Database;
  keyring: Keyring;
  messages: MessageService;
  repository: VerificationRepository;
  ender: VerificationEnder;
  routing: Routing;
  clock: Clock;
  settings: Settings;
  texts: MessageTexts;
}) {
  const { database, keyring, messages, texts, repository, ender, routing, clock, settings } = deps;

  const progressOf = (row: DestinationRow) => ({
    route: routeOf(row),
    step: row.step,
    expiresAt: row.expires_at,
  });
  const usableFor = (row: DestinationRow) => (channel: ChannelName) =>
    routing.isUsable(channel, row.project_id, reachOf(row));
  const seconds = (ms: number) => Math.round(ms / 1000);

  /** The place at a step that begins now, with the channel that delivers for it. */
  function placeAt(
    row: Pick<DestinationRow, 'project_id' | 'expires_at'>,
    route: readonly ChannelName[],
    step: number,
  ) {
    const { channelWaitMs } = settings.of(row.project_id);
    const move_at = moveTime({ route, step, expiresAt: row.expires_at }, clock.now(), channelWaitMs) ?? null;
    return { channel: routing.deliverer(route[step]!), route: JSON.stringify(route), step, move_at };
  }

  /** Puts a message with the verification's code into the outbox, by the channel of its place. */
  async function enqueue(
    trx: Transaction,
    row: DestinationRow,
    message: Pick<
      NewMessage,
      'id' | 'content' | 'template' | 'locale' | 'metadata' | 'reason' | 'isCounted'
    > & {
      lane?: Lane | undefined;
    },
  ): Promise<void> {
    const name = routeOf(row)[row.step]!;
    const isTest = row.is_test === 1;
    const address = (name === 'email' || (isTest && row.phone === null) ? row.email : row.phone)!;
    const { id, content, template, locale, metadata, reason, isCounted, lane = 'code' } = message;
    await messages.enqueue(trx, {
      id,
      projectId: row.project_id,
      ownerId: row.id,
      address,
      // The verification counts against what it proves; another address of the person counts for itself.
      identity: name === 'email' && row.phone !== null ? address.toLowerCase() : undefined,
      channel: row.channel as ChannelName,
      plays: row.channel === 'simulator' && !isTest ? name : undefined,
      lane,
      expiresAt: row.expires_at,
      content,
      template,
      locale,
      metadata,
      reason,
      ...(isTest && { unsentBecause: UNSENT }),
      isCounted,
    });
    if (template && !isTest) texts.countUse(trx, template.id);
  }

  /** The stored code; undefined where it does not open, so that another message of it would be worth nothing. */
  async function codeOf(trx: Transaction, { id }: DestinationRow): Promise<string | undefined> {
    const row = await repository.secretOf(trx, id);
    if (!row?.sealed_code) return undefined;
    const { sealed_code: value, key_version: version } = row;
    return keyring.open('message-code', { value, version, context: id });
  }

  /**
   * Sends the same code once more, from the place given. Without `said` it says what the message before it said, in
   * another language where there is a `locale`. Undefined, and nothing was sent, when the stored code cannot be read or is in
   * a value of the template.
   */
  async function sendFrom(
    trx: Transaction,
    row: DestinationRow,
    message: Pick<NewMessage, 'locale' | 'metadata' | 'reason'> & {
      said?: Said | undefined;
      lane?: Lane | undefined;
    },
  ): Promise<DestinationRow | undefined> {
    const now = clock.now();
    const sends = sendsOf(row);
    const code = await codeOf(trx, row);
    if (code === undefined || hasCodeInValues(message.said, code)) return undefined;
    const [, previousId] = sends.at(-1)!;
    const id = newId('msg', now);
    const { metadata, reason } = message;
    const said = message.said ?? (await messages.saidOf(trx, previousId));
    const { content, template } = said ?? {};
    const locale = message.locale ?? said?.locale;
    await enqueue(trx, row, { id, content, template, locale, metadata, reason, lane: message.lane });
    const all: Send[] = [...sends, [now, id]];
    // Its time may have run out since it was read.
    if (!(await repository.setSends(trx, row.id, all, row))) throw new WotpError('OTP_EXPIRED', EXPIRED);
    return { ...row, sends: JSON.stringify(all) };
  }

  /** Goes on by the channel at a later step; what still waits on the present one is not sent any more. */
  async function moveTo(
    trx: Transaction,
    row: DestinationRow,
    step: number,
    why: string,
  ): Promise<DestinationRow | undefined> {
    const route = routeOf(row);
    const [, previousId] = sendsOf(row).at(-1)!;
    const moved = { ...row, ...placeAt(row, route, step) };
    const reason = sentBy(route[step]!, why);
    // One of many does not overtake the codes that somebody waits for.
    const lane = await messages.laneOf(trx, previousId);
    const sent = await sendFrom(trx, moved, { reason, lane });
    if (sent) await messages.stop(trx, [previousId], { status: 'canceled', reason, arrived: false });
    return sent;
  }

  /** As `moveTo`, where nobody has asked for it: it is not done where it would go beyond the quota of the project. */
  async function moveWithinQuota(...step: Parameters<typeof moveTo>): Promise<DestinationRow | undefined> {
    try {
      return await moveTo(...step);
    } catch (error) {
      if (!(error instanceof WotpError && error.code === 'QUOTA_EXCEEDED')) throw error;
      return undefined;
    }
  }

  /** A message failed for good: the next channel takes over, or the verification fails, unless another message may arrive. */
  async function failed(trx: Transaction, message: MessageRef, reason: string): Promise<void> {
    const row = await repository.byIdInAnyProject(trx, message.ownerId);
    if (!row || statusAt(row, clock.now()) !== 'pending') return;
    const isNewest = sendsOf(row).at(-1)![1] === message.id;
    const decision = afterFailure(progressOf(row), clock.now(), usableFor(row));
    if (isNewest && decision.is === 'move') {
      const name = CALLED[routeOf(row)[row.step]!];
      if (await moveWithinQuota(trx, row, decision.step, `${name} refused it (${shortened(reason)})`)) return;
    }
    if (await messages.anyAlive(trx, messageIdsOf(row))) return;
    await ender.end(trx, row, 'failed', reason);
  }

  /** Decides on a verification that nobody else decides on meanwhile. */
  async function decide(
    { id, project_id, destination }: DestinationRow,
    work: (trx: Transaction, row: DestinationRow) => Promise<void>,
  ): Promise<void> {
    await database.transaction(async (trx) => {
      await database.serialize(trx, `${project_id}:${destination}`);
      const row = await repository.byIdInAnyProject(trx, id);
      if (row && row.move_at !== null && statusAt(row, clock.now()) === 'pending') await work(trx, row);
    });
  }

  async function atTime(trx: Transaction, row: DestinationRow): Promise<void> {
    const now = clock.now();
    if (row.move_at! > now) return;
    const decision = orWait(progressOf(row), now, usableFor(row));
    if (decision.is === 'move') {
      const why = `no receipt for ${seconds(settings.of(row.project_id).channelWaitMs)} s`;
      // A code that cannot be read goes out by no channel.
      if (!(await moveWithinQuota(trx, row, decision.step, why))) await repository.stay(trx, row.id);
      return;
    }
    const later = nextStep(progressOf(row), now + LOOK_AGAIN_MS, () => true);
    const move_at = later === undefined ? null : now + LOOK_AGAIN_MS;
    await repository.setSends(trx, row.id, sendsOf(row), { ...row, move_at });
  }

  async function whenOffline(trx: Transaction, row: DestinationRow): Promise<void> {
    const name = routeOf(row)[row.step]!;
    if (!routing.isOffline(name, row.project_id)) return;
    const decision = orWait(progressOf(row), clock.now(), usableFor(row));
    if (decision.is === 'move') {
      await moveWithinQuota(trx, row, decision.step, `${CALLED[name]} is offline`);
    }
  }

  return {
    placeAt,
    enqueue,
    sendFrom,
    moveTo,
    progressOf,
    usableFor,

    /** What the outbox has to know of verifications, whose messages it carries. */
    owner: {
      contentOf: verificationContent({ keyring, repository, texts }),
      async lock(trx, id) {
        const found = await repository.byIdInAnyProject(trx, id);
        if (!found) return;
        await database.serialize(trx, `${found.project_id}:${found.destination}`);
        await repository.lock(trx, id);
      },
      arrives: (trx, id) => repository.stay(trx, id),
      failed,
      async disowned(trx, id) {
        const row = await repository.byIdInAnyProject(trx, id);
        if (row && statusAt(row, clock.now()) === 'pending') await ender.end(trx, row, 'canceled', DISOWNED);
      },
    } satisfies MessageOwner,

    /** Goes on with up to `limit` verifications whose time for the next channel has come; resolves to whether there may be more. */
    async moveDue(limit: number): Promise<boolean> {
      const due = await repository.toMove(database.reader, clock.now(), limit);
      for (const row of due) await decide(row, atTime);
      return due.length === limit;
    },

    /** Goes on with verifications whose channel is offline, of the `limit` whose time for the next one comes first. */
    async moveFromOffline(limit: number): Promise<void> {
      const waiting = await repository.waiting(database.reader, limit);
      for (const row of waiting) {
        const name = routeOf(row)[row.step]!;
        if (routing.isOffline(name, row.project_id)) await decide(row, whenOffline);
      }
    },
  };
}
