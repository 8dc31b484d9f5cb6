export type * from './api-types.ts';
export { type VerificationFilter, Wotp, type WotpOptions } from './client.ts';
export { type ErrorCode, WebhookVerificationError, WotpConnectionError, WotpError } from './errors.ts';
export type { StreamEvent, StreamOptions, StreamReset } from './events.ts';
export type { Request, RequestOptions } from './transport.ts';
export { verifyWebhook, type WebhookHeaders } from './webhooks.ts';
