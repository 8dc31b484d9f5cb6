import type { Troubles } from '../../background/troubles.ts';
import type { Clock } from '../../lib/clock.ts';
import {
  type Accepted,
  type Channel,
  type ChannelCapabilities,
  type ChannelName,
  type OutgoingMessage,
  type Readiness,
  type Receipt,
  type ReceiptListener,
  SendError,
} from '../../messages/channel.ts';
import type { Outcome, Provider } from './provider.ts';

const CONCURRENCY = 20;
/** One provider's share of a try, and that of all together, which ends before the outbox gives the try up. In ms. */
const PROVIDER_MAX_MS = 10_000;
const TRY_MAX_MS = 25_000;
/** A provider that only the operator can set right is asked again after this time, in ms. */
const STOPPED_MS = 5 * 60_000;

const RECEIPTS = ['none', 'delivered', 'read'] as const;

/** Why a provider is not asked for a while. */
interface Break {
  /** Unix ms. */
  until: number;
  state: 'waiting' | 'offline';
  reason: string;
}

export interface ProviderChannelOptions {
  name: Extract<ChannelName, 'sms' | 'http'>;
  /** In the order in which they are tried. */
  providers: readonly Provider[];
  /** The time of this machine. */
  clock: Clock;
  troubles: Troubles;
}

/** One channel of HTTP providers: the next one is asked where the one before has certainly not taken a message. */
export class ProviderChannel implements Channel {
  readonly name: ProviderChannelOptions['name'];
  readonly reaches = 'phone';
  readonly capabilities: ChannelCapabilities;
  readonly #providers: readonly Provider[];
  readonly #clock: Clock;
  readonly #troubles: Troubles;
  readonly #breaks = new Map<Provider, Break>();
  #listener: ReceiptListener | undefined;

  constructor({ name, providers, clock, troubles }: ProviderChannelOptions) {
    this.name = name;
    this.#providers = providers;
    this.#clock = clock;
    this.#troubles = troubles;
    const most = Math.max(...providers.map(({ receipts }) => RECEIPTS.indexOf(receipts)));
    this.capabilities = { receipts: RECEIPTS[most]!, concurrency: CONCURRENCY };
  }

  async start(receipts: ReceiptListener): Promise<void> {
    this.#listener = receipts;
  }

  async stop(): Promise<void> {
    this.#listener = undefined;
  }

  readiness(): Readiness {
    const breaks = this.#providers.map((provider) => this.#breakOf(provider));
    if (breaks.includes(undefined)) return { state: 'ready' };
    const waiting = breaks.some((each) => each?.state === 'waiting');
    return { state: waiting ? 'waiting' : 'offline', reason: breaks.map((each) => each?.reason).join('; ') };
  }

  get waitReason(): string | undefined {
    return this.readiness().reason;
  }

  /** A provider has reported what became of a message; resolves once that is on disk. */
  async report(receipt: Receipt): Promise<void> {
    await this.#listener?.onReceipt(receipt);
  }

  async send(message: OutgoingMessage, signal: AbortSignal): Promise<Accepted> {
    const endsAt = this.#clock.now() + TRY_MAX_MS;
    const refusals: (Exclude<Outcome, { kind: 'taken' }> & { said: string })[] = [];
    for (const provider of this.#providers) {
      const pause = this.#breakOf(provider);
      const leftMs = endsAt - this.#clock.now();
      if (pause || leftMs <= 0) continue;
      const outcome = await provider.send(message, signal, Math.min(PROVIDER_MAX_MS, leftMs));
      this.#learn(provider, outcome);
      if (outcome.kind === 'taken') {
        return outcome.providerId === undefined ? {} : { providerId: outcome.providerId };
      }
      const said = `${provider.name}: ${outcome.reason}`;
      if (outcome.kind === 'permanent' || outcome.kind === 'uncertain') {
        throw new SendError(outcome.kind, said, outcome.cause);
      }
      refusals.push({ ...outcome, said });
    }
    throw this.#failure(refusals);
  }

  /** Why no provider has taken a message. Without a try that could count, it costs the message none. */
  #failure(refusals: readonly (Exclude<Outcome, { kind: 'taken' }> & { said: string })[]): SendError {
    const temporary = refusals.filter(({ kind }) => kind === 'temporary');
    const cause = (temporary[0] ?? refusals[0])?.cause;
    const reason = refusals.map(({ said }) => said).join('; ') || this.waitReason || 'no provider is left';
    const waits = this.#providers.flatMap((provider) => this.#breakOf(provider)?.until ?? []);
    const isAnyFree = waits.length < this.#providers.length;
    const retryAfterMs = isAnyFree ? undefined : Math.max(0, Math.min(...waits) - this.#clock.now());
    return new SendError(temporary.length > 0 ? 'temporary' : 'unavailable', reason, cause, retryAfterMs);
  }

  /** Remembers what a try says of the provider itself, and tells the operator. */
  #learn(provider: Provider, outcome: Outcome): void {
    const work = `sending by the provider ${provider.name}`;
    const { name } = provider;
    switch (outcome.kind) {
      case 'taken':
      case 'permanent':
        this.#breaks.delete(provider);
        this.#troubles.succeeded(work);
        return;
      case 'operator':
        this.#breaks.set(provider, {
          until: this.#clock.now() + STOPPED_MS,
          state: 'offline',
          reason: `${name} refuses every message (${outcome.reason}): check its account and its settings`,
        });
        this.#troubles.failed(work, outcome.cause, {
          message: 'a provider refuses every message: check its account and its settings',
          fields: { provider: name, channel: this.name, reason: outcome.reason },
        });
        return;
      case 'temporary':
        if (outcome.retryAfterMs !== undefined && outcome.retryAfterMs > 0) {
          const until = this.#clock.now() + outcome.retryAfterMs;
          this.#breaks.set(provider, { until, state: 'waiting', reason: `${name} asks to wait` });
        }
        return;
      case 'unreachable':
        this.#troubles.failed(work, outcome.cause, {
          message: 'a provider cannot be reached',
          level: 'warn',
          fields: { provider: name, channel: this.name },
        });
    }
  }

  #breakOf(provider: Provider): Break | undefined {
    const found = this.#breaks.get(provider);
    if (found && this.#clock.now() < found.until) return found;
    this.#breaks.delete(provider);
    return undefined;
  }
}
