import type { Problem } from './api-types.ts';
import { WotpConnectionError, WotpError } from './errors.ts';

export interface TransportOptions {
  /** The address of the server, such as `https://verify.example.com`. */
  baseUrl: string;
  /** An API key (`wotp_…`). Keep it on your server: it is a secret. */
  apiKey: string;
  /** How long one attempt may take, in ms; 15,000 unless given. */
  timeoutMs?: number;
  /** How often a request is repeated that failed in a way that may pass; 2 unless given. */
  maxRetries?: number;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

export interface RequestOptions {
  /** Gives the request up. */
  signal?: AbortSignal | undefined;
  /** Makes a repetition have no second effect, for 24 hours; a random one unless given. 1 to 255 visible ASCII characters. */
  idempotencyKey?: string | undefined;
}

export interface Request extends RequestOptions {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Under `/api/v1`, with its values escaped. */
  path: string;
  query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  body?: unknown;
  /** Whether it may be sent again though the server may have acted on it: true unless given. */
  isRepeatable?: boolean;
}

const TIMEOUT_MS = 15_000;
const MAX_RETRIES = 2;
const FIRST_RETRY_MS = 250;
/** Whoever waits for an answer is not kept waiting longer for a retry, in ms. */
const RETRY_WAIT_MAX_MS = 5_000;
/** The server has taken nothing, and may in a moment. */
const REFUSED_FOR_NOW = new Set(['QUEUE_FULL', 'SERVICE_UNAVAILABLE', 'RATE_LIMIT_EXCEEDED']);

/** Sends requests, and repeats those that failed in a way that may pass. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #base: URL;

  /** @throws TypeError when `baseUrl` is not an http(s) address, or `apiKey` is empty */
  constructor(options: TransportOptions) {
    const base = URL.canParse(options.baseUrl) ? new URL(options.baseUrl) : undefined;
    if (!base || !['http:', 'https:'].includes(base.protocol)) {
      throw new TypeError(
        '`baseUrl` has to be the address of the server, such as https://verify.example.com.',
      );
    }
    if (!options.apiKey) throw new TypeError('`apiKey` is missing. Create one with: wotp token create');
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    this.#base = base;
    this.#options = options;
  }

  /**
   * Resolves to the answer's `data`, or to its whole body where `page` is wanted too.
   * @throws WotpError when the server refuses, WotpConnectionError when it does not answer, the signal's reason when aborted
   */
  async send<T>(request: Request): Promise<T> {
    const { maxRetries = MAX_RETRIES } = this.#options;
    const { signal, isRepeatable = true } = request;
    const idempotencyKey = request.idempotencyKey ?? crypto.randomUUID();
    for (let retries = 0; ; retries++) {
      let failure: WotpError | WotpConnectionError;
      let mayPass: boolean;
      try {
        return (await this.#attempt(request, idempotencyKey)) as T;
      } catch (error) {
        if (error instanceof WotpError) mayPass = mayPassSoon(error, isRepeatable);
        else if (error instanceof WotpConnectionError) mayPass = isRepeatable;
        else throw error;
        failure = error;
      }
      const waitMs = waitBefore(retries, failure);
      if (!mayPass || retries >= maxRetries || waitMs > RETRY_WAIT_MAX_MS) throw failure;
      await pause(waitMs, signal);
    }
  }

  /** One attempt, of which only the head of the answer is waited for. Its body is the caller's. */
  async open(request: Request, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const { apiKey, fetch: send = fetch } = this.#options;
    const { method, path, query = {}, body } = request;
    const url = new URL(`api/v1${path}`, this.#base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    let answer: Response;
    try {
      answer = await send(url, {
        method,
        headers: {
          ...headers,
          authorization: `Bearer ${apiKey}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // The key goes to the server that was named and to no other.
        redirect: 'error',
        signal,
      });
    } catch (error) {
      throw this.#lost(error, request.signal);
    }
    if (!answer.ok) throw await this.#refusal(answer, request.signal);
    return answer;
  }

  async #attempt(request: Request, idempotencyKey: string): Promise<unknown> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS);
    const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (request.method === 'POST') headers['idempotency-key'] = idempotencyKey;
    const answer = await this.open(request, headers, signal);
    const text = await answer.text().catch((error: unknown) => {
      throw this.#lost(error, request.signal);
    });
    const body = readJson(text);
    if (body === undefined) throw new WotpError(headOf(answer), undefined);
    return body;
  }

  #lost(error: unknown, givenUp: AbortSignal | undefined): unknown {
    if (givenUp?.aborted) return givenUp.reason;
    const why = error instanceof Error && error.name === 'TimeoutError' ? 'in time' : 'completely';
    return new WotpConnectionError(`${this.#base.origin} did not answer ${why}.`, { cause: error });
  }

  async #refusal(answer: Response, givenUp: AbortSignal | undefined): Promise<unknown> {
    const text = await answer.text().catch((error: unknown) => {
      throw this.#lost(error, givenUp);
    });
    const problem = readJson(text) as Partial<Problem> | undefined;
    return new WotpError(
      headOf(answer),
      typeof problem?.code === 'string' ? (problem as Problem) : undefined,
    );
  }
}

/** Whether a refusal may be none in a moment, and a repetition does no harm. */
function mayPassSoon({ code, status }: WotpError, isRepeatable: boolean): boolean {
  if (REFUSED_FOR_NOW.has(code)) return true;
  if (!isRepeatable) return false;
  // From a proxy in front of the server, which may have acted on it.
  const isOfProxy = code === 'UNEXPECTED_ANSWER' && [502, 503, 504].includes(status);
  return isOfProxy || code === 'IDEMPOTENCY_IN_PROGRESS';
}

/** How long to wait before the next attempt, in ms: what the server asks for, else longer each time and never the same. */
function waitBefore(retries: number, failure: WotpError | WotpConnectionError): number {
  const asked = failure instanceof WotpError ? failure.retryAfterSeconds : undefined;
  return asked !== undefined ? asked * 1_000 : FIRST_RETRY_MS * 2 ** retries * (0.5 + Math.random() / 2);
}

function headOf({ status, headers }: Response) {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return {
    status,
    requestId: headers.get('x-request-id') ?? undefined,
    retryAfterSeconds: Number.isFinite(seconds) ? Math.max(0, seconds) : undefined,
  };
}

function readJson(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Resolves after so many ms. @throws the signal's reason when it is aborted before */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
