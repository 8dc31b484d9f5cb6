/** What one error code promises: its HTTP status, a title that never changes, and the page's two sentences. */
export interface ErrorCodeEntry {
  status: number;
  title: string;
  meaning: string;
  whatToDo: string;
}

/**
 * Every code a client can meet, grouped by feature. A code is never renamed and never given a second meaning.
 * `docs/ERRORS.md` and the OpenAPI document are generated from this table.
 */
export const ERROR_CODES = {
  // requests
  VALIDATION_ERROR: {
    status: 400,
    title: 'The request is not valid',
    meaning: 'The body, the query or a header is malformed. `errors` lists each wrong field with a message.',
    whatToDo: 'Correct the fields named in `errors` and send the request again. Nothing was changed.',
  },
  UNAUTHORIZED: {
    status: 401,
    title: 'Authentication is missing or wrong',
    meaning: 'No API key or admin password was given, or the one given is unknown, revoked or expired.',
    whatToDo: 'Send `Authorization: Bearer wotp_…`, or `X-Master-Key` on admin routes.',
  },
  FORBIDDEN: {
    status: 403,
    title: 'The key lacks a permission',
    meaning:
      'The key is valid but lacks the permission named in `requiredPermission`. `admin` is not a permission that a key can have: only the administrator may do this.',
    whatToDo:
      'Use a key that has the permission, or ask an administrator for one. For `admin`, send the admin password as `X-Master-Key`, or sign in on the page.',
  },
  RESOURCE_NOT_FOUND: {
    status: 404,
    title: 'Not found',
    meaning: 'There is no such route or no such resource in your project.',
    whatToDo: 'Check the address and the id. The documentation at `/docs` lists every route.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    meaning: 'The address exists, but not with this HTTP method. `Allow` lists the methods that do.',
    whatToDo: 'Use one of the methods in the `Allow` header.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    title: 'The request took too long to arrive',
    meaning: 'The headers or the body were not complete in time.',
    whatToDo: 'Send the request again without pauses.',
  },
  CONFLICT: {
    status: 409,
    title: 'The resource is not in a state that allows this',
    meaning: 'The current state of the resource does not allow this.',
    whatToDo: 'Read the resource, then decide what to do.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'The body is too large',
    meaning: 'The body is larger than the route accepts (1 MB unless the route says otherwise).',
    whatToDo: 'Send less at once.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'Unsupported content type',
    meaning: 'The route accepts only uncompressed `application/json`.',
    whatToDo: 'Send JSON with `Content-Type: application/json` and without `Content-Encoding`.',
  },
  MISDIRECTED_REQUEST: {
    status: 421,
    title: 'The request was sent to another host',
    meaning:
      'The server listens on the loopback interface only, the `Host` header names neither this machine nor `PUBLIC_URL`, and the request has no valid API key.',
    whatToDo:
      'Use the address in `PUBLIC_URL` or `localhost`, or set `PUBLIC_URL` to the address that you use.',
  },
  RATE_LIMIT_EXCEEDED: {
    status: 429,
    title: 'Too many requests',
    meaning: 'A limit of the key, of the phone number or of the client address is reached.',
    whatToDo: 'Wait as many seconds as `Retry-After` says, then send the request again.',
  },
  QUOTA_EXCEEDED: {
    status: 429,
    title: 'The monthly quota is used up',
    meaning:
      'The project has sent as many messages in this calendar month (UTC) as its `MONTHLY_QUOTA` allows.',
    whatToDo:
      'Wait until the next month: `Retry-After` says how long. An administrator can raise `MONTHLY_QUOTA` with `PUT /api/v1/settings`, which holds at once.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: 'The headers are too large',
    meaning: 'All headers together may be 16 kB.',
    whatToDo: 'Send fewer or shorter headers.',
  },

  // idempotency
  IDEMPOTENCY_MISMATCH: {
    status: 422,
    title: 'This Idempotency-Key was used for another request',
    meaning: 'The same key came with a different body within 24 hours.',
    whatToDo: 'Use a new key for a new request; reuse a key only with exactly the same body.',
  },
  IDEMPOTENCY_IN_PROGRESS: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still running',
    meaning: 'A request with this key has been accepted and has not answered yet.',
    whatToDo: 'Wait a moment, then repeat the request with the same key.',
  },

  // verifications
  OTP_INCORRECT: {
    status: 422,
    title: 'The code is wrong',
    meaning: 'The code does not match. One guess was counted; `attemptsRemaining` says how many are left.',
    whatToDo: 'Ask the user to check the newest message and type the code again.',
  },
  OTP_EXPIRED: {
    status: 410,
    title: 'The code has expired',
    meaning: 'The code was not entered within its lifetime.',
    whatToDo: 'Send a new code.',
  },
  OTP_ATTEMPTS_EXCEEDED: {
    status: 429,
    title: 'Too many wrong codes',
    meaning: 'The guesses of this verification, or of this phone number within 24 hours, are used up.',
    whatToDo:
      'Wait as long as `Retry-After` says and send a new code. An administrator can lift the lock with `DELETE /api/v1/limits/:phone`.',
  },
  OTP_NOT_FOUND: {
    status: 404,
    title: 'There is no pending verification',
    meaning: 'No code is pending: none was sent, it was already used, or it was canceled.',
    whatToDo: 'Send a new code.',
  },

  // templates
  TEMPLATE_NOT_FOUND: {
    status: 404,
    title: 'There is no such template',
    meaning: 'Your project has no template with this code or id, or the template is not active.',
    whatToDo: 'Check the name with `GET /api/v1/templates`. An inactive one can be activated with `PUT`.',
  },

  // phone numbers
  PHONE_INVALID: {
    status: 400,
    title: 'The phone number is not valid',
    meaning:
      'The number does not exist, contains a character that `detail` names, or its country is not known.',
    whatToDo:
      'Give the number with its country code (`+62 838 …`), or set `DEFAULT_REGION` for national numbers.',
  },
  PHONE_NOT_ALLOWED: {
    status: 403,
    title: 'Codes are not sent to this number',
    meaning: 'The number is of a kind or a country to which this server does not send.',
    whatToDo: 'Use a mobile number; an operator can change `COUNTRIES_ALLOWED` and `COUNTRIES_DENIED`.',
  },
  PHONE_OPTED_OUT: {
    status: 403,
    title: 'The number has opted out',
    meaning:
      'The user of this number asked for no more messages. Nothing was sent, and no limit was counted.',
    whatToDo:
      'Tell the user to write START to the number that sent the codes. An administrator can remove the number with `DELETE /api/v1/opt-outs/:phone` when its user asks for it.',
  },
  PHONE_NOT_ON_WHATSAPP: {
    status: 422,
    title: 'The number is not on WhatsApp',
    meaning: 'WhatsApp reports that this number is not registered.',
    whatToDo: 'Ask for another number or use another channel.',
  },

  // e-mail addresses
  EMAIL_INVALID: {
    status: 400,
    title: 'The e-mail address is not valid',
    meaning: 'The address cannot exist, or is written in a way that is not accepted; `detail` says which.',
    whatToDo:
      'Give one plain address (`name@example.com`), without a display name, quotes or comments. Before the `@` only ASCII is accepted.',
  },

  // channels
  WHATSAPP_OFFLINE: {
    status: 503,
    title: 'No WhatsApp number is linked',
    meaning:
      'WhatsApp was on the route of the send, no session is linked that could take the message, and no other channel could be used.',
    whatToDo:
      'The operator links a phone (`GET /health` shows the state), or sets up another channel. A send with an `email` as well can go there.',
  },
  CHANNEL_UNAVAILABLE: {
    status: 503,
    title: 'This channel is not available',
    meaning: 'None of the channels of the send, or of its route, is set up on this server.',
    whatToDo: 'Leave `channel` out, or name one that the operator has set up.',
  },

  // the server itself
  INTERNAL_ERROR: {
    status: 500,
    title: 'Something went wrong on our side',
    meaning: 'An error that the server did not expect. The log contains the cause under the request id.',
    whatToDo:
      'Give the `requestId` to the operator. The request may be repeated with the same Idempotency-Key.',
  },
  SERVICE_UNAVAILABLE: {
    status: 503,
    title: 'The server cannot take this now',
    meaning:
      'The database cannot be reached or written (a full disk, for example), or the server is stopping.',
    whatToDo:
      'Repeat the request after `Retry-After` seconds. Nothing was changed, unless `detail` says that this is not known.',
  },
  QUEUE_FULL: {
    status: 503,
    title: 'Too many writes are waiting',
    meaning: 'More writes are queued than the disk can take in reasonable time.',
    whatToDo: 'Repeat the request after `Retry-After` seconds. Nothing was changed.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;

/** A stable error code, the `code` of a problem document. */
export type ErrorCode = keyof typeof ERROR_CODES;
