import { readInternational } from '../../addresses/phone-reading.ts';
import type { Troubles } from '../../background/troubles.ts';
import type { Clock } from '../../lib/clock.ts';
import { ExpectedError } from '../../lib/expected-error.ts';
import { pause } from '../../lib/pause.ts';
import {
  type Accepted,
  type Channel,
  type ChannelCapabilities,
  type OutgoingMessage,
  type Readiness,
  type ReceiptListener,
  SendError,
} from '../../messages/channel.ts';
import { aboutSenders } from './about.ts';
import { type Failure, failureOf } from './failures.ts';
import type { GraphApi, Outcome } from './graph.ts';
import { Holds } from './holds.ts';
import { Pacing } from './pacing.ts';
import { Recent } from './recent.ts';
import type { Template } from './template.ts';
import type { Reports, StatusReport } from './webhook.ts';

const CONCURRENCY = 40;
const CODE_MAX_LENGTH = 15;
/** One request's share of a try, and that of all together, which ends before the outbox gives the try up. In ms. */
const REQUEST_MAX_MS = 10_000;
const TRY_MAX_MS = 25_000;
/** What only the operator can set right is tried again after this time, doubled each time up to the second, in ms. */
const STOPPED_MS = { first: 60_000, most: 5 * 60_000 };
/** How long Meta's word about a recipient or a country holds, in ms. */
const REFUSED_MS = { recipient: 15 * 60_000, country: 60 * 60_000 };
/** Who has to wait longer than this is better served by the next channel, in ms. */
const PATIENCE_MS = 20_000;
/** Meta lets 80 a second through for a number (M-throughput): never more in any second. */
const THROUGHPUT = { intervalMs: 1_000 / 60, burst: 20 };
/** And 45 at once to one recipient from one number, then one in 6 s. */
const PAIR = { intervalMs: 6_000, burst: 45 };
/** A pair that Meta calls too busy is tried again after 4^n s. */
const PAIR_BASE = 4;
/** A message is tried in one other language at most. */
const LANGUAGES_MAX = 2;

/** Nothing has left. */
const UNREACHABLE: Failure = {
  kind: 'paused',
  of: 'account',
  pauseMs: 2_000,
  mostMs: 30_000,
  says: 'the WhatsApp Cloud API cannot be reached',
};

const ACCOUNT = 'account';
const SENDING = 'sending by the WhatsApp Cloud API';

export interface CloudApiChannelOptions {
  graph: GraphApi;
  /** Phone number ids, in the order in which they are used. */
  senders: readonly string[];
  template: Template;
  /** The business account, where it is known: it tells the states of the template. */
  accountId: string | undefined;
  /** Whether statuses can come: without the app secret none is believed. */
  hasWebhook: boolean;
  /** Of this machine. */
  clock: Clock;
  troubles: Troubles;
}

/** What is remembered of a message that was handed to Meta lately. */
interface Sent {
  id: string;
  to: string;
  sender: string;
  language: string;
}

/** WhatsApp by Meta's Cloud API: an authentication template from one of several numbers. */
export class CloudApiChannel implements Channel {
  readonly name = 'cloud_api';
  readonly reaches = 'phone';
  readonly #options: CloudApiChannelOptions;
  readonly #holds: Holds;
  readonly #throughput: Pacing;
  readonly #pairs: Pacing;
  /** By our id and by Meta's. */
  readonly #sent = new Recent<Sent>();
  /** How often a message has failed in a way that another try may mend: in all by its id, and with a number. */
  readonly #failures = new Recent<number>();
  /** Until when Meta refuses a recipient or a country (Unix ms), and how it says so. */
  readonly #refused = new Recent<{ until: number; says: string }>();
  #listener: ReceiptListener | undefined;

  constructor(options: CloudApiChannelOptions) {
    this.#options = options;
    const { clock } = options;
    this.#holds = new Holds(clock);
    this.#throughput = new Pacing(clock, THROUGHPUT);
    this.#pairs = new Pacing(clock, PAIR);
  }

  get reportsWhatItTook(): boolean {
    return this.#options.hasWebhook;
  }

  get capabilities(): ChannelCapabilities {
    return {
      receipts: this.#options.hasWebhook ? 'read' : 'none',
      // After a failure of the account one message finds out whether it works again.
      concurrency: this.#holds.isInDoubt(ACCOUNT) ? 1 : CONCURRENCY,
    };
  }

  async start(receipts: ReceiptListener): Promise<void> {
    this.#listener = receipts;
  }

  async stop(): Promise<void> {
    this.#listener = undefined;
  }

  readiness(): Readiness {
    const { template, senders } = this.#options;
    const { problem } = template;
    if (problem !== undefined) return { state: 'offline', reason: problem };
    const account = this.#holds.of(ACCOUNT);
    if (account) return { state: account.state, reason: account.reason };
    const holds = senders.map((sender) => this.#holds.of(sender));
    if (holds.includes(undefined)) return { state: 'ready' };
    const isWaiting = holds.some((hold) => hold?.state === 'waiting');
    const reasons = new Set(holds.map((hold) => hold!.reason));
    return { state: isWaiting ? 'waiting' : 'offline', reason: [...reasons].join('; ') };
  }

  get waitReason(): string | undefined {
    return this.readiness().reason;
  }

  refuses(to: string): string | undefined {
    return this.#refusalOf(to);
  }

  async send(message: OutgoingMessage, signal: AbortSignal): Promise<Accepted> {
    const { id, to, code, locale } = message;
    if (code === undefined) {
      throw new SendError('permanent', 'the WhatsApp Cloud API sends only messages with a code');
    }
    if (code.length > CODE_MAX_LENGTH) {
      throw new SendError('permanent', `WhatsApp takes codes of ${CODE_MAX_LENGTH} characters at most`);
    }
    const country = readInternational(to)?.country;
    const refusal = this.#refusalOf(to) ?? (country && this.#refusalOf(country));
    if (refusal) throw new SendError('permanent', refusal);

    const { graph, template, clock } = this.#options;
    const endsAt = clock.now() + TRY_MAX_MS;
    const done = new Set<string>();
    let languages = 0;
    let failed: SendError | undefined;
    while (clock.now() < endsAt) {
      const language = template.languageFor({ locale, country });
      const sender = this.#senderFor(to, done);
      if (language === undefined || sender === undefined) break;
      await this.#turnOf(sender, to, signal);
      const leftMs = Math.max(1, endsAt - clock.now());
      const outgoing = { id, to, code, template: template.name, language };
      const sent = { id, to, sender, language };
      // A status may come before the answer.
      this.#sent.set(id, sent);
      const outcome = await graph.send(sender, outgoing, signal, Math.min(REQUEST_MAX_MS, leftMs));
      if (outcome.is === 'accepted') return this.#accepted(outcome, sent);
      const verdict = this.#verdictOn(outcome, sent);
      if (!verdict.goesOn) throw verdict.error;
      failed = verdict.error;
      if (verdict.goesOn === 'other number') done.add(sender);
      else if (++languages >= LANGUAGES_MAX) break;
    }
    throw this.#isBlocked() ? this.#unavailable(failed?.cause) : (failed ?? this.#tooManyTo(to));
  }

  about(signal: AbortSignal): Promise<string[]> {
    return aboutSenders(this.#options, signal);
  }

  /** Takes what a webhook reports; resolves once what it says of messages is on disk. */
  async take({ statuses, templates, notRequested }: Reports): Promise<void> {
    const { template, clock } = this.#options;
    for (const { template: name, language, state, at } of templates) {
      if (name === template.name) template.noteState(language, state, at ?? clock.now());
    }
    await Promise.all(statuses.map((status) => this.#takeStatus(status)));
    for (const wamid of notRequested) {
      const messageId = this.#sent.get(wamid)?.id;
      const name = messageId === undefined ? { providerId: wamid } : { messageId };
      await this.#listener?.onReceipt({ ...name, status: 'disowned' });
    }
  }

  async #takeStatus({ name, wamid, sender, status, errorCode, at }: StatusReport): Promise<void> {
    const { senders } = this.#options;
    // Another program may send from other numbers of the account.
    if (name.messageId === undefined && sender !== undefined && !senders.includes(sender)) return;
    // The answer says that too, unless it was lost with the process that waited for it.
    if (status === 'sent' && (name.messageId === undefined || this.#sent.get(name.messageId))) return;
    if (status !== 'failed') {
      await this.#listener?.onReceipt({ ...name, status });
      return;
    }
    const failure: Failure =
      errorCode === undefined
        ? { kind: 'refused', says: 'the WhatsApp Cloud API could not deliver the message' }
        : failureOf({ code: errorCode });
    const sent = this.#sent.get(name.messageId ?? wamid);
    this.#learn(failure, sent ?? { sender }, { at, cause: new ExpectedError(failure.says) });
    await this.#listener?.onReceipt({ ...name, status, reason: failure.says });
  }

  /** The number to send from: the one that is free first, or the first of those; undefined when there is none. */
  #senderFor(to: string, done: ReadonlySet<string>): string | undefined {
    if (this.#holds.of(ACCOUNT)) return undefined;
    const able = this.#options.senders.filter(
      (sender) =>
        !done.has(sender) && !this.#holds.of(sender) && this.#pairs.waitMs(pairOf(sender, to)) === 0,
    );
    const waits = able.map((sender) => this.#throughput.waitMs(sender));
    return able[waits.indexOf(Math.min(...waits))];
  }

  /** Waits until the number may send one more. */
  async #turnOf(sender: string, to: string, signal: AbortSignal): Promise<void> {
    const waitMs = this.#throughput.waitMs(sender);
    this.#throughput.count(sender);
    this.#pairs.count(pairOf(sender, to));
    if (waitMs > 0) await pause(this.#options.clock, waitMs, signal);
    signal.throwIfAborted();
  }

  #accepted({ wamid, held }: Extract<Outcome, { is: 'accepted' }>, sent: Sent): Accepted {
    const { troubles, template, clock } = this.#options;
    for (const name of [ACCOUNT, sent.sender]) {
      this.#holds.succeeded(name);
      troubles.succeeded(workOf(name));
    }
    this.#sent.set(wamid, sent);
    if (held !== undefined) {
      troubles.failed(SENDING, new ExpectedError(`message_status is ${held}`), {
        message: 'Meta holds messages back: check the quality of the template',
        level: 'warn',
      });
    }
    if (held === 'paused') template.noteFailure(sent.language, 'Meta holds messages back', clock.now());
    return { providerId: wamid };
  }

  /** What a request that Meta did not accept means for the message, and what to do next. */
  #verdictOn(
    outcome: Exclude<Outcome, { is: 'accepted' }>,
    sent: Sent,
  ): { error: SendError; goesOn?: 'other number' | 'other language' } {
    const { cause } = outcome;
    if (outcome.is === 'uncertain') return { error: uncertain('the answer was lost', cause) };
    const isRefusal = outcome.is === 'refused';
    const failure = isRefusal ? failureOf(outcome.error) : UNREACHABLE;
    const retryAfterMs = isRefusal ? outcome.retryAfterMs : undefined;
    const { says } = failure;
    if (!isRefusal) this.#options.troubles.failed(SENDING, cause, { message: says, level: 'warn' });
    const at = this.#options.clock.now();
    this.#learn(failure, sent, { at, cause, retryAfterMs });
    switch (failure.kind) {
      case 'uncertain':
        return { error: uncertain(says, cause) };
      case 'refused':
        return { error: new SendError('permanent', says, cause) };
      case 'again': {
        const isLast = this.#countFailure(sent.id) >= failure.tries;
        return { error: new SendError(isLast ? 'permanent' : 'temporary', says, cause, retryAfterMs) };
      }
      case 'pair': {
        const waitMs = retryAfterMs ?? 1_000 * PAIR_BASE ** this.#countFailure(`${sent.id} ${sent.sender}`);
        return { error: new SendError('deferred', says, cause, waitMs), goesOn: 'other number' };
      }
      case 'language':
        return { error: new SendError('permanent', says, cause), goesOn: 'other language' };
      case 'paused':
      case 'stopped':
        return { error: new SendError('unavailable', says, cause), goesOn: 'other number' };
    }
  }

  /** How often it had failed before. */
  #countFailure(what: string): number {
    const count = this.#failures.get(what) ?? 0;
    this.#failures.set(what, count + 1);
    return count;
  }

  /**
   * Remembers what a failure says of other messages, and tells the operator. One that Meta reports again, or late, holds
   * nothing longer than the first time.
   */
  #learn(
    failure: Failure,
    { to, sender, language }: Partial<Sent>,
    { at, cause, retryAfterMs }: { at: number; cause: Error; retryAfterMs?: number | undefined },
  ): void {
    const { says } = failure;
    switch (failure.kind) {
      case 'refused': {
        const { holdsFor } = failure;
        const key = holdsFor === 'country' ? to && readInternational(to)?.country : to;
        if (holdsFor && key) this.#refused.set(key, { says, until: at + REFUSED_MS[holdsFor] });
        break;
      }
      case 'paused': {
        const { pauseMs, mostMs } = failure;
        const state = (retryAfterMs ?? pauseMs) > PATIENCE_MS ? 'offline' : 'waiting';
        const waitMs = (count: number) => retryAfterMs ?? Math.min(mostMs, pauseMs * 2 ** count);
        this.#hold(failure.of, sender, { at, state, reason: says, waitMs });
        break;
      }
      case 'stopped': {
        const waitMs = (count: number) => Math.min(STOPPED_MS.most, STOPPED_MS.first * 2 ** count);
        this.#hold(failure.of, sender, { at, state: 'offline', reason: says, waitMs });
        break;
      }
      case 'language':
        if (language !== undefined) this.#options.template.noteFailure(language, says, at);
        break;
    }
    const isForOperator = failure.isForOperator || failure.kind === 'stopped' || failure.kind === 'language';
    // What Meta repeats of long ago is no news.
    if (isForOperator && this.#options.clock.now() - at < STOPPED_MS.first) {
      const isOfNumber = failure.kind === 'stopped' && failure.of === 'number' && sender !== undefined;
      this.#options.troubles.failed(workOf(isOfNumber ? sender : ACCOUNT), cause, {
        message: 'the WhatsApp Cloud API needs the operator',
        fields: { reason: says, phoneNumberId: sender },
      });
    }
  }

  #hold(of: 'account' | 'number', sender: string | undefined, hold: Parameters<Holds['hold']>[1]): void {
    const name = of === 'account' ? ACCOUNT : sender;
    if (name !== undefined) this.#holds.hold(name, hold);
  }

  #refusalOf(key: string): string | undefined {
    const refused = this.#refused.get(key);
    return refused && this.#options.clock.now() < refused.until ? refused.says : undefined;
  }

  /** Whether nothing can be sent to anybody just now. */
  #isBlocked(): boolean {
    return this.readiness().state !== 'ready';
  }

  /** Nothing was tried that could count. */
  #unavailable(cause?: unknown): SendError {
    const { senders, clock } = this.#options;
    const account = this.#holds.of(ACCOUNT);
    const holds = account ? [account] : senders.flatMap((sender) => this.#holds.of(sender) ?? []);
    const isHeld = account !== undefined || holds.length === senders.length;
    const waitMs = isHeld ? Math.min(...holds.map(({ until }) => until)) - clock.now() : undefined;
    return new SendError('unavailable', this.readiness().reason!, cause, waitMs);
  }

  /** Meta would refuse one more to this recipient now. */
  #tooManyTo(to: string): SendError {
    const free = this.#options.senders.filter((sender) => !this.#holds.of(sender));
    const waits = free.map((sender) => this.#pairs.waitMs(pairOf(sender, to)));
    return new SendError('deferred', 'too many messages to this recipient', undefined, Math.min(...waits));
  }
}

const pairOf = (sender: string, to: string) => `${sender} ${to}`;
const uncertain = (says: string, cause: Error) =>
  new SendError('uncertain', `${says}: a status decides whether Meta has the message`, cause);
const workOf = (name: string) => (name === ACCOUNT ? SENDING : `${SENDING} from ${name}`);
