import { createTransport, type DKIMOptions, type SendMailOptions } from 'nodemailer';
import type { SmtpServer } from '../../config/smtp-server.ts';

/** How far a try to send has come when it ends. */
export type Stage =
  /** Nothing of the mail was said to the server. */
  | 'connecting'
  /** The server knows of the mail, and has not got all of it. */
  | 'sending'
  /** The server has all of it, and may have taken it. */
  | 'sent';

/** A try that failed. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly stage: Stage;
  override readonly cause: unknown;

  constructor(stage: Stage, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause));
    this.stage = stage;
    this.cause = cause;
  }
}

/** How long each step may take, in ms. */
export interface TransportTimes {
  /** Until the connection stands, with TLS and the server's greeting. */
  connectMs: number;
  /** Without a byte from the server. */
  silenceMs: number;
}

export interface TransportOptions {
  server: SmtpServer;
  /** Certificates to trust in place of the system's, as PEM. */
  ca: string | undefined;
  dkim: DKIMOptions | undefined;
  /** What to call this machine in EHLO; its own name when undefined. */
  name: string | undefined;
  times: TransportTimes;
}

/** Connections to one mail server, kept open between mails. */
export interface MailTransport {
  /**
   * Sends one mail.
   * @returns the Message-ID that the server gave it, where it has replaced ours
   * @throws TransportError
   */
  send(mail: SendMailOptions, signal: AbortSignal): Promise<{ serverMessageId?: string }>;
  /** Ends all connections, also those in use. */
  close(): void;
}

export function mailTransport({ server, ca, dkim, name, times }: TransportOptions): MailTransport {
  const transport = createTransport({
    pool: true,
    host: server.host,
    port: server.port,
    secure: server.tls === 'implicit',
    requireTLS: server.tls === 'starttls',
    ignoreTLS: server.tls === 'off',
    tls: { minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) },
    ...(server.user !== undefined && { auth: { user: server.user, pass: server.password ?? '' } }),
    ...(name !== undefined && { name }),
    ...(dkim && { dkim }),
    maxConnections: server.connections,
    // Only for a connection that the server has closed before it was told of the mail.
    maxRequeues: 1,
    connectionTimeout: times.connectMs,
    greetingTimeout: times.connectMs,
    dnsTimeout: times.connectMs,
    socketTimeout: times.silenceMs,
    // Nothing that is given as a text may name a file or an address to be read.
    disableFileAccess: true,
    disableUrlAccess: true,
  });

  // The library's errors do not say how far it came. The signal is the one value of a send that it passes on as it is.
  const stages = new WeakMap<AbortSignal, Stage>();
  transport.use('stream', ({ data: { signal }, message }, done) => {
    if (!signal || !message) return done();
    const createReadStream = message.createReadStream.bind(message);
    // Called when a connection stands, right before MAIL FROM; its end is read right before the final dot.
    message.createReadStream = (options) => {
      stages.set(signal, 'sending');
      return createReadStream(options).once('end', () => stages.set(signal, 'sent'));
    };
    done();
  });

  return {
    async send(mail, signal) {
      stages.set(signal, 'connecting');
      try {
        const { serverMessageId } = await transport.sendMail({ ...mail, signal });
        return serverMessageId === undefined ? {} : { serverMessageId };
      } catch (error) {
        throw new TransportError(stages.get(signal)!, error);
      }
    },
    close: () => transport.close({ force: true }),
  };
}
