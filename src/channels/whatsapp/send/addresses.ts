import { spellingsOf } from '../../../addresses/phone.ts';
import type { Clock } from '../../../lib/clock.ts';
import { MINUTE_MS } from '../../../lib/duration.ts';
import type { Logger } from '../../../lib/logger.ts';
import { SendError } from '../../../messages/channel.ts';
import { userOf } from '../jid.ts';
import type { WhatsAppSocket } from '../link/session.ts';
import type { Listing, NumberDirectory } from './number-directory.ts';

/** Where numbers are reached over one connection, with everything prepared for a message to them. */
export interface Addresses {
  /**
   * The address of a number (E.164): its LID where WhatsApp gives one. Its devices and their keys are at hand then.
   * @throws SendError permanent PHONE_NOT_ON_WHATSAPP; `unavailable` when the connection is gone
   */
  of(phone: string): Promise<string>;
  /** Looks again whether the numbers that wait shall be prepared now: something has left the sender. */
  hurry(): void;
  /** Forgets what is prepared for a number, so that its devices and keys are asked for again. */
  forget(phone: string): void;
  /** The connection is gone: everyone who waits is told so. */
  end(reason: SendError): void;
}

/** Numbers that are asked for together. */
const BATCH_MAX = 50;
/** Of these, numbers whose encryption sessions are begun at once. */
const SESSIONS_AT_ONCE = 10;
/** While the sender has enough to do, so many are waited for, and so long (in ms). */
const BATCH_WORTH = 25;
const GATHER_MAX_MS = 200;
/** The client forgets the devices of a number after 5 minutes. */
const PREPARED_MS = 4 * MINUTE_MS;
/** Numbers prepared that are remembered. */
const PREPARED_MAX = 20_000;
/** After WhatsApp refused to say who is on it, it is not asked for this long, in ms. */
const CHECK_REST_MS = 5 * MINUTE_MS;

interface Waiting {
  phone: string;
  /** Unix ms. */
  since: number;
  resolve: (address: string) => void;
  reject: (reason: unknown) => void;
}

/**
 * Prepares messages ahead: while some are being sent, the devices and keys of all that wait are asked for in one
 * query each, where the client alone would ask two for every number.
 * @param isSupplied whether the sender has enough to do, so that more numbers may gather before they are asked for
 * @param directory where WhatsApp's answers are kept; undefined: numbers are not checked
 */
export function addressBook(deps: {
  socket: WhatsAppSocket;
  directory: NumberDirectory | undefined;
  isSupplied: () => boolean;
  clock: Clock;
  log: Logger;
}): Addresses {
  const { socket, directory, isSupplied, clock, log } = deps;
  const prepared = new Map<string, { address: string; at: number }>();
  const pending = new Map<string, Promise<string>>();
  const stale = new Set<string>();
  let waiting: Waiting[] = [];
  let inHand: Waiting[] = [];
  let isPreparing = false;
  let noChecksUntil = 0;
  let ended: SendError | undefined;

  const jidOf = (phone: string) => `${phone.slice(1)}@s.whatsapp.net`;

  /** Asks WhatsApp who of these is on it, under every spelling of the number. */
  async function askWho(phones: readonly string[]): Promise<Map<string, Listing>> {
    const spellings = new Map(phones.map((phone) => [phone, spellingsOf(phone)]));
    const present = await whoOf([...spellings.values()].flat());
    const listings = new Map<string, Listing>();
    for (const [phone, all] of spellings) {
      const spelling = all.find((candidate) => present.has(candidate));
      const jid = spelling === undefined ? null : present.get(spelling)!;
      listings.set(phone, { jid });
      if (jid) present.delete(spelling!);
    }
    // WhatsApp spells one of them in a way unknown here, and does not say which was asked: ask for each alone.
    const unclear = present.size > 0 ? phones.filter((phone) => listings.get(phone)?.jid === null) : [];
    for (const phone of unclear) {
      const [jid] = (await whoOf([phone])).values();
      if (jid) listings.set(phone, { jid });
    }
    return listings;
  }

  /** The addresses of those of these numbers that are on WhatsApp, by the number in the address. */
  async function whoOf(numbers: readonly string[]): Promise<Map<string, string>> {
    const answers = (await socket.onWhatsApp(...numbers)) ?? [];
    return new Map(answers.flatMap(({ jid, exists }) => (exists ? [[`+${userOf(jid)}`, jid]] : [])));
  }

  /** The address by number of each of these; null for those that are not on WhatsApp. */
  async function lookUp(phones: readonly string[]): Promise<Map<string, string | null>> {
    const found = new Map<string, string | null>(phones.map((phone) => [phone, jidOf(phone)]));
    if (!directory) return found;
    const known = await directory.find(phones);
    for (const [phone, { jid }] of known) found.set(phone, jid);
    const unknown = phones.filter((phone) => !known.has(phone));
    if (unknown.length === 0 || clock.now() < noChecksUntil) return found;
    try {
      const listings = await askWho(unknown);
      for (const [phone, { jid }] of listings) found.set(phone, jid);
      await directory.remember(listings);
    } catch (error) {
      // An unchecked message may still arrive; one that is held back for the check does not.
      noChecksUntil = clock.now() + CHECK_REST_MS;
      log.warn(
        { reason: error instanceof Error ? error.message : String(error) },
        'WhatsApp did not report which numbers are registered; not checked for 5 minutes',
      );
    }
    return found;
  }

  /** The LIDs of addresses that have one. */
  async function toLids(jids: readonly string[]): Promise<Map<string, string>> {
    const numbers = jids.filter((jid) => jid.endsWith('@s.whatsapp.net'));
    const pairs = (await socket.signalRepository.lidMapping.getLIDsForPNs([...numbers])) ?? [];
    return new Map(pairs.map(({ pn, lid }) => [pn, lid]));
  }

  async function prepare(batch: readonly Waiting[]): Promise<void> {
    const jids = await lookUp(batch.map(({ phone }) => phone));
    const absent = new SendError(
      'permanent',
      'PHONE_NOT_ON_WHATSAPP: this number is not registered on WhatsApp.',
    );
    const reachable: (Waiting & { jid: string })[] = [];
    for (const entry of batch) {
      const jid = jids.get(entry.phone);
      if (jid) reachable.push({ ...entry, jid });
      else entry.reject(absent);
    }
    if (reachable.length === 0) return;
    let lids = new Map<string, string>();
    const fresh = !reachable.some(({ phone }) => stale.has(phone));
    try {
      lids = await toLids(reachable.map(({ jid }) => jid));
      const addresses = reachable.map(({ jid }) => lids.get(jid) ?? jid);
      const devices = await socket.getUSyncDevices(addresses, fresh, false);
      // Beginning a session takes some ms of pure computation: in small portions others go on meanwhile. While one portion
      // is computed, the keys of the next are on their way.
      const portions: (typeof reachable)[] = [];
      for (let first = 0; first < reachable.length; first += SESSIONS_AT_ONCE) {
        portions.push(reachable.slice(first, first + SESSIONS_AT_ONCE));
      }
      const beginSessions = (portion: typeof reachable | undefined): Promise<unknown> => {
        const users = new Set(portion?.map(({ jid }) => userOf(lids.get(jid) ?? jid)));
        const theirs = devices.filter(({ jid }) => users.has(userOf(jid))).map(({ jid }) => jid);
        const begun = theirs.length > 0 ? socket.assertSessions(theirs, !fresh) : Promise.resolve();
        // It is waited for in its turn, which may not come when one before it fails.
        begun.catch(() => {});
        return begun;
      };
      let next = beginSessions(portions[0]);
      for (const [index, portion] of portions.entries()) {
        const begun = next;
        next = beginSessions(portions[index + 1]);
        await begun;
        const at = clock.now();
        for (const { phone, jid, resolve } of portion) {
          const address = lids.get(jid) ?? jid;
          stale.delete(phone);
          prepared.set(phone, { address, at });
          if (prepared.size > PREPARED_MAX) prepared.delete(prepared.keys().next().value!);
          resolve(address);
        }
      }
    } catch (error) {
      // One bad number spoils the answer for all: each message then asks for itself as it is sent.
      log.debug({ err: error, numbers: reachable.length }, 'batch of numbers not prepared');
    }
    for (const { jid, resolve } of reachable) resolve(lids.get(jid) ?? jid);
  }

  /** Whether to ask now, or to let more numbers gather. */
  function isWorthwhile(): boolean {
    const [oldest] = waiting;
    if (!oldest) return false;
    return waiting.length >= BATCH_WORTH || !isSupplied() || clock.now() - oldest.since >= GATHER_MAX_MS;
  }

  async function prepareWaiting(): Promise<void> {
    isPreparing = true;
    // The next turn of the event loop: messages that come together are prepared together.
    await new Promise((resolve) => setImmediate(resolve));
    while (isWorthwhile() && !ended) {
      const isStale = stale.has(waiting[0]!.phone);
      inHand = waiting.splice(0, isStale ? 1 : BATCH_MAX);
      await prepare(inHand).catch((error: unknown) => {
        for (const { reject } of inHand) reject(error);
      });
    }
    isPreparing = false;
  }

  return {
    of(phone) {
      if (ended) return Promise.reject(ended);
      const known = prepared.get(phone);
      if (known && clock.now() - known.at < PREPARED_MS) return Promise.resolve(known.address);
      const same = pending.get(phone);
      if (same) return same;
      const preparing = new Promise<string>((resolve, reject) => {
        waiting.push({ phone, since: clock.now(), resolve, reject });
      }).finally(() => pending.delete(phone));
      pending.set(phone, preparing);
      if (!isPreparing) void prepareWaiting();
      return preparing;
    },
    hurry() {
      if (!isPreparing && isWorthwhile()) void prepareWaiting();
    },
    forget(phone) {
      prepared.delete(phone);
      stale.add(phone);
    },
    end(reason) {
      ended = reason;
      for (const { reject } of [...inHand, ...waiting]) reject(reason);
      waiting = [];
    },
  };
}
