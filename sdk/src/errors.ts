import type { Problem } from './api-types.ts';

/** What the server calls a refusal; decide by it, not by the text. */
export type ErrorCode = Problem['code'];

/**
 * The server refused a request, with problem details (RFC 9457). `message` is the server's sentence for developers; it
 * never holds a code.
 */
export class WotpError extends Error {
  override readonly name = 'WotpError';
  /** `UNEXPECTED_ANSWER` where the answer is not one of a WOTP server, such as the page of a proxy. */
  readonly code: ErrorCode | 'UNEXPECTED_ANSWER';
  /** The HTTP status. */
  readonly status: number;
  /** Names the request in the server's log. */
  readonly requestId: string | undefined;
  /** With `VALIDATION_ERROR`: what is wrong with which field. */
  readonly errors: readonly { path: string; message: string }[];
  /** With `OTP_INCORRECT`: how many more codes may be tried. */
  readonly attemptsRemaining: number | undefined;
  /** With `FORBIDDEN`: the permission that the API key lacks. */
  readonly requiredPermission: string | undefined;
  /** When it may work, in seconds from now; undefined where the server does not say. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    answer: { status: number; requestId?: string | undefined; retryAfterSeconds?: number | undefined },
    problem: Problem | undefined,
  ) {
    super(problem?.detail ?? `The answer is not one of a WOTP server (HTTP ${answer.status}).`);
    this.code = problem?.code ?? 'UNEXPECTED_ANSWER';
    this.status = answer.status;
    this.requestId = problem?.requestId ?? answer.requestId;
    this.errors = problem?.errors ?? [];
    this.attemptsRemaining = problem?.attemptsRemaining;
    this.requiredPermission = problem?.requiredPermission;
    this.retryAfterSeconds = answer.retryAfterSeconds;
  }
}

/** There was no complete answer: the server was not reached, the connection was lost, or it took too long. */
export class WotpConnectionError extends Error {
  override readonly name = 'WotpConnectionError';
}

/** A request to a webhook endpoint is not one that the server signed, or not a recent one. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
}
