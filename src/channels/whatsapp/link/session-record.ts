import { maskPhone } from '../../../addresses/phone.ts';
import type { WotpEvent } from '../../../events/types.ts';
import type { Clock } from '../../../lib/clock.ts';
import { DAY_MS, HOUR_MS } from '../../../lib/duration.ts';
import type { Logger } from '../../../lib/logger.ts';
import { LeaseLostError } from './lease.ts';
import type { SessionChanges, StoredSession } from './repository.ts';
import type { SessionState, StateChange } from './session.ts';

/** How exactly it is kept when the phone was last seen, in ms. */
const SEEN_PRECISION_MS = HOUR_MS;
/** WhatsApp logs linked devices out when the phone was away for about 14 days; from here on there is a warning, in ms. */
const PHONE_UNSEEN_MS = 10 * DAY_MS;

/** States that last until somebody acts. */
const NEEDS_SOMEBODY: readonly SessionState[] = ['logged_out', 'banned', 'action_required'];

export interface SessionRecordOptions {
  stored: StoredSession;
  clock: Clock;
  log: Logger;
  /**
   * Keeps changes and their events in one transaction.
   * @throws LeaseLostError when another process drives the session, whose word on it counts
   */
  keep: (changes: SessionChanges, events: readonly WotpEvent[]) => Promise<void>;
  /**
   * Keeps that this number (E.164) is the session's, unless it is linked in another session: then
   * resolves to that session's id, and changes nothing.
   * @throws LeaseLostError as `keep`
   */
  claimNumber: (phone: string) => Promise<string | undefined>;
  /** Another process drives the session: whoever hears this stops it. */
  onLeaseLost: () => void;
}

/** What is known of a session: changed here at once, and in the database with its events in the order of the changes. */
export class SessionRecord {
  readonly #options: SessionRecordOptions;
  readonly #onState: (change: StateChange) => void;
  #stored: StoredSession;
  #warnedAt = 0;
  #isClosed = false;
  #isLost = false;
  #kept: Promise<void> = Promise.resolve();

  constructor(options: SessionRecordOptions, onState: (change: StateChange) => void) {
    this.#options = options;
    this.#onState = onState;
    this.#stored = options.stored;
  }

  /** The session as it is stored. */
  get stored(): Readonly<StoredSession> {
    return this.#stored;
  }

  get state(): SessionState {
    return this.#stored.state;
  }

  /** Whether the state changes no more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How long the phone was not seen, in words for the operator; null while that is no reason to worry. */
  get unseenWarning(): string | null {
    const { phoneSeenAt } = this.#stored;
    if (phoneSeenAt === null) return null;
    const days = Math.floor((this.#options.clock.now() - phoneSeenAt) / DAY_MS);
    if (days * DAY_MS < PHONE_UNSEEN_MS) return null;
    return `The linked phone has been offline for ${days} days. WhatsApp logs this device out after about 14: open WhatsApp on the phone, with internet.`;
  }

  /** Warns that the phone was not seen, once a day. */
  warn(warning: string): void {
    const now = this.#options.clock.now();
    if (now - this.#warnedAt < DAY_MS) return;
    this.#warnedAt = now;
    const { id, projectId } = this.#stored;
    this.#options.log.warn({ session: id }, warning);
    this.change({}, [{ type: 'bot.phone_unseen', projectId, data: { sessionId: id, reason: warning } }]);
  }

  /** The phone was seen at this moment. */
  phoneSeen(): void {
    const now = this.#options.clock.now();
    if (now - (this.#stored.phoneSeenAt ?? 0) > SEEN_PRECISION_MS) this.change({ phoneSeenAt: now });
  }

  /** A phone was linked at this moment. */
  linked(): void {
    const now = this.#options.clock.now();
    this.change({ linkedAt: now, phoneSeenAt: now });
  }

  /** Replaces the codes by which a phone can be linked. */
  showCodes(codes: StoredSession['codes']): void {
    const isSame = !codes.qr && !codes.pairingCode && Object.keys(this.#stored.codes).length === 0;
    if (!isSame) this.change({ codes });
  }

  /** The first QR code of this linking is shown. */
  firstQrShown(): void {
    this.change({}, [this.#event('bot.qr', null, null)]);
  }

  /**
   * Makes a number (E.164) the session's.
   * @returns the id of another session that has it; then nothing is changed
   */
  async claim(phone: string): Promise<string | undefined> {
    const holder = await this.#options.claimNumber(phone);
    if (holder === undefined) this.#stored = { ...this.#stored, phone };
    return holder;
  }

  /** Enters a state, logs it and reports it; nothing where it is in this state for this reason already. */
  moveTo(
    to: SessionState,
    reason: string | null,
    nextAttemptAt: number | null = null,
    { isByOperator = false } = {},
  ): void {
    const { id, state: from } = this.#stored;
    const isSame = this.#stored.reason === reason && this.#stored.nextAttemptAt === nextAttemptAt;
    if ((from === to && isSame) || this.#isClosed) return;
    this.change({ state: to, reason, nextAttemptAt }, [
      this.#event(eventOf(from, to), reason, nextAttemptAt, to),
    ]);
    // Somebody has to act on what neither the operator has done nor goes away by itself.
    const level = NEEDS_SOMEBODY.includes(to) && !isByOperator ? 'error' : 'info';
    const masked = reason?.replace(/\+\d{7,15}/g, maskPhone) ?? null;
    this.#options.log[level]({ session: id, from, to, reason: masked, nextAttemptAt }, 'WhatsApp session');
    this.#onState({ from, to, reason, nextAttemptAt });
  }

  /** Changes what is stored: here at once, in the database in the order of the calls. */
  change(changes: SessionChanges, events: readonly WotpEvent[] = []): void {
    const { keep, log } = this.#options;
    this.#stored = { ...this.#stored, ...changes };
    this.#kept = this.#kept
      .then(() => keep(changes, events))
      .catch((error: unknown) => {
        if (error instanceof LeaseLostError) this.lose();
        else log.error({ session: this.#stored.id, err: error }, 'a change of a session was not recorded');
      });
  }

  /** From here on the state stays as it is. */
  close(): void {
    this.#isClosed = true;
  }

  /** Another process drives the session. Safe to call twice. */
  lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#options.onLeaseLost();
  }

  /** Resolves when every change so far is on disk, or has failed to get there. */
  settled(): Promise<void> {
    return this.#kept;
  }

  /**
   * Resolves when all that has changed is on disk.
   * @throws LeaseLostError when it is not, because another process drives the session
   */
  async kept(): Promise<void> {
    await this.#kept;
    if (this.#isLost) throw new LeaseLostError();
  }

  #event(
    type: 'bot.connected' | 'bot.disconnected' | 'bot.logged_out' | 'bot.qr' | 'bot.state_changed',
    reason: string | null,
    nextAttemptAt: number | null,
    state: SessionState = this.state,
  ): WotpEvent {
    const { id, projectId } = this.#stored;
    return { type, projectId, data: { sessionId: id, state, reason, nextAttemptAt } };
  }
}

function eventOf(from: SessionState, to: SessionState) {
  if (to === 'logged_out') return 'bot.logged_out';
  if (to === 'open' && from !== 'degraded') return 'bot.connected';
  const wasOpen = from === 'open' || from === 'degraded';
  return wasOpen && to !== 'open' && to !== 'degraded' ? 'bot.disconnected' : 'bot.state_changed';
}
