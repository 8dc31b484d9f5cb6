import type {
  CheckVerificationRequest,
  RetriedVerification,
  SendVerificationRequest,
  Verification,
  VerificationDetails,
  VerificationWithTimeline,
  VerifiedAddress,
} from './api-types.ts';
import { type StreamEvent, type StreamOptions, type StreamReset, streamEvents } from './events.ts';
import { type Request, type RequestOptions, Transport, type TransportOptions } from './transport.ts';
import { verifyWebhook } from './webhooks.ts';

export type WotpOptions = TransportOptions;

interface Success<T> {
  success: true;
  data: T;
}

interface Page<T> extends Success<T[]> {
  page: { next: string | null };
}

/** What a list of verifications is narrowed by. */
export interface VerificationFilter {
  phone?: string;
  email?: string;
  purpose?: string;
  status?: Verification['status'];
  /** Created at or after; RFC 3339. */
  from?: string;
  /** Created before; RFC 3339. */
  to?: string;
}

/**
 * A client of one server with one API key. Every call rejects with a `WotpError` when the server refuses and with a
 * `WotpConnectionError` when it does not answer.
 */
export class Wotp {
  readonly #transport: Transport;

  /** @throws TypeError when `baseUrl` is not an address, or `apiKey` is empty */
  constructor(options: WotpOptions) {
    this.#transport = new Transport(options);
  }

  /** Sending codes and checking them. */
  readonly otp = {
    /**
     * Sends a code. While one is pending for this phone and purpose, the same code is sent again (`retried: true`).
     * Repeated after a lost answer it sends no second message.
     */
    send: (
      verification: SendVerificationRequest,
      options?: RequestOptions,
    ): Promise<Verification | RetriedVerification> =>
      this.#data({ method: 'POST', path: '/otp/send', body: verification, ...options }),

    /**
     * Checks what the person typed. Resolves only when it is right; a code that does not verify rejects, so that a forgotten
     * test of the result lets nobody in: `OTP_INCORRECT` (with `attemptsRemaining`), `OTP_EXPIRED`, `OTP_NOT_FOUND` or
     * `OTP_ATTEMPTS_EXCEEDED`. It is not repeated after a lost answer: the server may have taken the code.
     */
    verify: (check: CheckVerificationRequest, options?: RequestOptions): Promise<VerifiedAddress> =>
      this.#data({ method: 'POST', path: '/otp/verify', body: check, isRepeatable: false, ...options }),

    /** Sends the same code again, on the channel that the verification is at. */
    resend: (id: string, options?: RequestOptions): Promise<Verification> => this.#act(id, 'resend', options),

    /** Sends the same code on the next channel now. Rejects with `CONFLICT` when there is none. */
    next: (id: string, options?: RequestOptions): Promise<Verification> => this.#act(id, 'next', options),

    /** Ends the verification: its code is worth nothing any more. */
    cancel: (id: string, options?: RequestOptions): Promise<Verification> => this.#act(id, 'cancel', options),

    /** A verification with everything that happened to its messages. */
    get: (id: string, options?: RequestOptions): Promise<VerificationWithTimeline> =>
      this.#data({ method: 'GET', path: `/otp/${encodeURIComponent(id)}`, ...options }),

    /** Verifications, newest first: every page, read as you go. */
    list: (filter: VerificationFilter = {}, options?: RequestOptions) =>
      this.pages<VerificationDetails>('/otp', { ...filter }, options),
  };

  /** Requests to your webhook endpoints. */
  readonly webhooks = { verify: verifyWebhook };

  /** What happens in the project of the API key, live. */
  readonly events = {
    /** Goes on without a gap after a lost connection; ends when `signal` is aborted. Needs `logs:read`. */
    stream: (options?: StreamOptions): AsyncGenerator<StreamEvent | StreamReset, void, undefined> =>
      streamEvents(this.#transport, options),
  };

  /**
   * Calls any other operation of the API and resolves to its `data`. The types of the API are exported under the names of its
   * document.
   * @example await wotp.call<Stats>({ method: 'GET', path: '/stats' })
   */
  call<T>(request: Request): Promise<T> {
    return this.#data(request);
  }

  /** The items of any list of the API: every page, read as you go. */
  async *pages<T>(
    path: string,
    query: Request['query'] = {},
    options?: RequestOptions,
  ): AsyncGenerator<T, void, undefined> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const request: Request = { method: 'GET', path, query: { limit: 200, ...query, cursor }, ...options };
      const { data, page }: Page<T> = await this.#transport.send(request);
      yield* data;
      cursor = page.next;
    }
  }

  async #data<T>(request: Request): Promise<T> {
    return (await this.#transport.send<Success<T>>(request)).data;
  }

  #act(id: string, action: string, options?: RequestOptions): Promise<Verification> {
    return this.#data({ method: 'POST', path: `/otp/${encodeURIComponent(id)}/${action}`, ...options });
  }
}
