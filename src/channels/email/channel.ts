import type { DKIMOptions } from 'nodemailer';
import { EmailError, parseEmail } from '../../addresses/email.ts';
import type { Troubles } from '../../background/troubles.ts';
import type { SmtpServer } from '../../config/smtp-server.ts';
import { DEFAULT_PROJECT } from '../../database/project.ts';
import type { Clock } from '../../lib/clock.ts';
import {
  type Accepted,
  type Channel,
  type ChannelCapabilities,
  type MessageName,
  type OutgoingMessage,
  type Readiness,
  type ReceiptListener,
  SendError,
} from '../../messages/channel.ts';
import { assertSigns } from './dkim.ts';
import { type Verdict, verdictOf } from './failures.ts';
import { composeMail, type Sender } from './mail.ts';
import { type MailTransport, mailTransport, TransportError, type TransportTimes } from './transport.ts';

const SENDING = 'sending mail';
/** A whole try, in ms: less than the dispatcher gives it, because only the channel knows how far it has come. */
const TRY_MAX_MS = 25_000;
const TIMES: TransportTimes = { connectMs: 8_000, silenceMs: 15_000 };
/** How long the server is left alone after it could not be reached, at first and at most, in ms. */
const UNREACHABLE_MS = { first: 2_000, most: 30_000 };
/** The same after a failure that only the operator can end; wrong passwords lock accounts out. */
const REFUSED_MS = { first: 30_000, most: 10 * 60_000 };

export interface EmailChannelOptions {
  server: SmtpServer;
  ca?: string | undefined;
  /** Who sends the mail of a project. */
  senderOf: (projectId: number) => Sender;
  dkim?: DKIMOptions | undefined;
  /** What to call this machine in EHLO. */
  machineName?: string | undefined;
  clock: Clock;
  troubles: Troubles;
  times?: TransportTimes;
}

/** Why nothing is sent now. */
interface Hold {
  reason: string;
  isForOperator: boolean;
  /** Until then (Unix ms) the server is not asked again. */
  until: number;
  /** Failures in a row. */
  count: number;
}

/**
 * E-mail over one SMTP server. `sent` means that the server took the mail: nobody reports that it arrived, and a bounce
 * that somebody does report is a failed receipt.
 */
export class EmailChannel implements Channel {
  readonly name = 'email';
  readonly reaches = 'email';
  readonly #options: EmailChannelOptions;
  readonly #transport: MailTransport;
  #hold: Hold | undefined;
  #receipts: ReceiptListener | undefined;

  constructor(options: EmailChannelOptions) {
    this.#options = options;
    const { server, ca, dkim, machineName: name, times = TIMES } = options;
    this.#transport = mailTransport({ server, ca, dkim, name, times });
  }

  get capabilities(): ChannelCapabilities {
    // After a failure of the server one mail finds out whether it works again.
    return { receipts: 'none', concurrency: this.#hold ? 1 : this.#options.server.connections };
  }

  get waitReason(): string | undefined {
    return this.readiness().reason;
  }

  /** Once the server has been left alone for long enough, mail goes to it again, or nobody would find out. */
  readiness(): Readiness {
    if (!this.#hold || this.#options.clock.now() >= this.#hold.until) return { state: 'ready' };
    const { isForOperator, reason } = this.#hold;
    return { state: isForOperator ? 'offline' : 'waiting', reason };
  }

  refuses(to: string): string | undefined {
    try {
      parseEmail(to);
      return undefined;
    } catch (error) {
      if (error instanceof EmailError) return error.message;
      throw error;
    }
  }

  /** @throws ExpectedError where mail is to be signed and cannot be */
  async start(receipts: ReceiptListener): Promise<void> {
    this.#receipts = receipts;
    const { dkim, senderOf, clock } = this.#options;
    if (!dkim) return;
    const sender = senderOf(DEFAULT_PROJECT);
    const sample = { id: 'sample', text: 'A sample.', expiresAt: clock.now() };
    await assertSigns(dkim, composeMail(sample, sender.from.address, sender, clock.now()));
  }

  async stop(): Promise<void> {
    this.#receipts = undefined;
    this.#transport.close();
  }

  async send(message: OutgoingMessage, signal: AbortSignal): Promise<Accepted> {
    const refusal = this.refuses(message.to);
    if (refusal !== undefined) throw new SendError('permanent', refusal);
    const { clock, senderOf, troubles } = this.#options;
    const sender = senderOf(message.projectId);
    const mail = composeMail(message, parseEmail(message.to).address, sender, clock.now());
    const tooLong = new AbortController();
    const limit = clock.setTimeout(() => tooLong.abort(), TRY_MAX_MS);
    try {
      const { serverMessageId } = await this.#transport.send(mail, AbortSignal.any([signal, tooLong.signal]));
      this.#hold = undefined;
      troubles.succeeded(SENDING);
      return serverMessageId === undefined ? {} : { providerId: withoutBrackets(serverMessageId) };
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      // Told to stop, and what was said of the reason holds as long as the server has not got the whole mail.
      if (signal.aborted && error.stage !== 'sent') throw signal.reason;
      const verdict = verdictOf(error, message.code);
      this.#note(verdict);
      throw verdict.error;
    } finally {
      limit.cancel();
    }
  }

  /** A mail came back; resolves once that is on disk. Unknown messages, and those that came back before, change nothing. */
  async bounced(name: MessageName, reason: string): Promise<void> {
    await this.#receipts?.onReceipt({ ...name, status: 'failed', reason });
  }

  /** Leaves a server alone that cannot send, longer each time; any other failure is of one mail only. */
  #note({ error, isForOperator }: Verdict): void {
    if (error.failure !== 'unavailable') {
      // The server has answered, so it works.
      if (error.failure === 'permanent' || error.failure === 'deferred') this.#hold = undefined;
      return;
    }
    const { clock, troubles } = this.#options;
    const now = clock.now();
    // Mails that were under way together fail together, which is one failure.
    if (this.#hold && now < this.#hold.until) return;
    const count = (this.#hold?.count ?? 0) + 1;
    const { first, most } = isForOperator ? REFUSED_MS : UNREACHABLE_MS;
    const delayMs = error.retryAfterMs ?? Math.min(most, first * 2 ** (count - 1));
    this.#hold = { reason: error.reason, isForOperator, until: now + delayMs, count };
    troubles.failed(SENDING, error, {
      message: 'no mail can be sent',
      level: isForOperator ? 'error' : 'warn',
    });
  }
}

const withoutBrackets = (messageId: string) => messageId.replace(/^<|>$/g, '');
