import { ExpectedError } from '../lib/expected-error.ts';
import { ERROR_CODES, type ErrorCode } from './codes.ts';

/** One place in a request that is wrong. `path` is written like `recipients.0.phone`. */
export interface FieldProblem {
  path: string;
  message: string;
}

/** A limit that is used up, as the rate limit headers of the refusal tell it. */
export interface UsedUpLimit {
  /** In the headers; letters and hyphens. */
  name: string;
  /** How many the limit lets through in its window. */
  quota: number;
  windowMs: number;
  /** When it lets the next one through (Unix ms). */
  resetAt: number;
}

/** What an error may carry to the client beside its sentence. */
export interface ErrorDetails {
  errors?: FieldProblem[];
  attemptsRemaining?: number;
  requiredPermission?: string;
  /** Whole seconds until the request may succeed; sent as `Retry-After`. */
  retryAfterSeconds?: number;
  /** Sent as the rate limit headers. */
  usedUp?: UsedUpLimit;
  /** HTTP methods the address knows; sent as `Allow`. */
  allow?: string[];
  cause?: unknown;
}

/**
 * The only error that reaches a client: a stable code, a sentence that is safe to show, and the HTTP status of
 * the code. `cause` goes to the log and never leaves the server.
 */
export class WotpError extends ExpectedError {
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: Omit<ErrorDetails, 'cause'>;

  constructor(code: ErrorCode, message: string, { cause, ...details }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = ERROR_CODES[code].status;
    this.details = details;
  }
}

/** `message` is for a request that is wrong as a whole; where single fields are, what is wrong with the first is said. */
export class ValidationError extends WotpError {
  constructor(message: string, errors?: FieldProblem[]) {
    super('VALIDATION_ERROR', errors?.[0]?.message ?? message, errors ? { errors } : {});
  }
}

export class AuthenticationError extends WotpError {
  constructor(message: string) {
    super('UNAUTHORIZED', message);
  }
}

/** Why a key is refused. No key can have the permission `admin`. */
export function lacking(requiredPermission: string): string {
  return requiredPermission === 'admin'
    ? 'Only the administrator may do this. Send the admin password as X-Master-Key, or sign in on the page.'
    : `This key lacks the permission ${requiredPermission}.`;
}

export class PermissionError extends WotpError {
  constructor(requiredPermission: string) {
    super('FORBIDDEN', lacking(requiredPermission), { requiredPermission });
  }
}

export class NotFoundError extends WotpError {
  constructor(
    message: string,
    code: Extract<
      ErrorCode,
      'RESOURCE_NOT_FOUND' | 'OTP_NOT_FOUND' | 'TEMPLATE_NOT_FOUND'
    > = 'RESOURCE_NOT_FOUND',
  ) {
    super(code, message);
  }
}

export class ConflictError extends WotpError {
  constructor(
    message: string,
    code: Extract<ErrorCode, 'CONFLICT' | 'IDEMPOTENCY_IN_PROGRESS'> = 'CONFLICT',
  ) {
    super(code, message);
  }
}

export class RateLimitError extends WotpError {
  constructor(
    message: string,
    retryAfterSeconds: number,
    usedUp: UsedUpLimit,
    code: Extract<
      ErrorCode,
      'RATE_LIMIT_EXCEEDED' | 'OTP_ATTEMPTS_EXCEEDED' | 'QUOTA_EXCEEDED'
    > = 'RATE_LIMIT_EXCEEDED',
  ) {
    super(code, message, { retryAfterSeconds, usedUp });
  }
}

/** The database cannot take the write now; nothing was changed. */
export class DatabaseError extends WotpError {
  constructor(
    message: string,
    cause?: unknown,
    code: Extract<ErrorCode, 'SERVICE_UNAVAILABLE' | 'QUEUE_FULL'> = 'SERVICE_UNAVAILABLE',
  ) {
    super(code, message, { retryAfterSeconds: code === 'QUEUE_FULL' ? 1 : 5, cause });
  }
}

/** The server takes nothing more because it is stopping. */
export class StoppingError extends DatabaseError {
  constructor(message = 'The server is stopping.', cause?: unknown) {
    super(message, cause);
  }
}

/** A channel cannot take the message at all; thrown before anything is stored. */
export class ChannelError extends WotpError {
  constructor(
    message: string,
    code: Extract<
      ErrorCode,
      'CHANNEL_UNAVAILABLE' | 'WHATSAPP_OFFLINE' | 'PHONE_NOT_ON_WHATSAPP'
    > = 'CHANNEL_UNAVAILABLE',
  ) {
    super(code, message);
  }
}
