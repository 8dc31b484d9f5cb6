// The types of the API, generated from its OpenAPI document by `npm run docs`.

/**
 * What a webhook or the live stream carries.
 */
export type WebhookEvent =
  | OtpCreatedEvent
  | OtpVerifiedEvent
  | OtpFailedEvent
  | OtpExpiredEvent
  | OtpCanceledEvent
  | MessageQueuedEvent
  | MessageSentEvent
  | MessageDeliveredEvent
  | MessageReadEvent
  | MessageFailedEvent
  | MessageExpiredEvent
  | MessageCanceledEvent
  | MessageReceivedEvent
  | ScheduleCreatedEvent
  | ScheduleFiredEvent
  | ScheduleCanceledEvent
  | ScheduleExpiredEvent
  | ScheduleFailedEvent
  | BotConnectedEvent
  | BotDisconnectedEvent
  | BotLoggedOutEvent
  | BotQrEvent
  | BotStateChangedEvent
  | BotPhoneUnseenEvent
  | NumberOptedOutEvent
  | NumberOptedInEvent
  | BulkCompletedEvent
  | BulkCanceledEvent
  | KeyCreatedEvent
  | KeyRevokedEvent
  | WebhookDisabledEvent
  | SettingsChangedEvent
  | ProjectQuotaReachedEvent;

/**
 * RFC 9457 problem details. Decide by `code`.
 */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code:
    | 'VALIDATION_ERROR'
    | 'UNAUTHORIZED'
    | 'FORBIDDEN'
    | 'RESOURCE_NOT_FOUND'
    | 'METHOD_NOT_ALLOWED'
    | 'REQUEST_TIMEOUT'
    | 'CONFLICT'
    | 'PAYLOAD_TOO_LARGE'
    | 'UNSUPPORTED_MEDIA_TYPE'
    | 'MISDIRECTED_REQUEST'
    | 'RATE_LIMIT_EXCEEDED'
    | 'QUOTA_EXCEEDED'
    | 'HEADERS_TOO_LARGE'
    | 'IDEMPOTENCY_MISMATCH'
    | 'IDEMPOTENCY_IN_PROGRESS'
    | 'OTP_INCORRECT'
    | 'OTP_EXPIRED'
    | 'OTP_ATTEMPTS_EXCEEDED'
    | 'OTP_NOT_FOUND'
    | 'TEMPLATE_NOT_FOUND'
    | 'PHONE_INVALID'
    | 'PHONE_NOT_ALLOWED'
    | 'PHONE_OPTED_OUT'
    | 'PHONE_NOT_ON_WHATSAPP'
    | 'EMAIL_INVALID'
    | 'WHATSAPP_OFFLINE'
    | 'CHANNEL_UNAVAILABLE'
    | 'INTERNAL_ERROR'
    | 'SERVICE_UNAVAILABLE'
    | 'QUEUE_FULL';
  requestId: string;
  success: false;
  error: string;
  errors?: {
    path: string;
    message: string;
  }[];
  attemptsRemaining?: number;
  requiredPermission?: string;
}
/**
 * An event, or an administrative act.
 */
export interface LogEntry {
  /**
   * The same as the `webhook-id` of its delivery.
   */
  id: string;
  /**
   * ISO 8601, UTC
   */
  at: string;
  type: string;
  /**
   * Who did it; null where nobody is known.
   */
  actor: string | null;
  /**
   * What it is about; null where the type says it.
   */
  subject: string | null;
  /**
   * What the type adds. An act has the `address` it came from, and `before` and `after` of what it changed.
   */
  data: {
    [k: string]: unknown;
  };
}
export interface LogEntryPage {
  success: true;
  data: LogEntry[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
/**
 * New entries, and where to go on.
 */
export interface LogNews {
  /**
   * What was recorded since, oldest first.
   */
  entries: LogEntry[];
  /**
   * Give it as `after`.
   */
  next: string;
  /**
   * Whether there is more to read now.
   */
  more: boolean;
}
export interface LogNewsResponse {
  success: true;
  data: LogNews;
}
/**
 * What the verification of the audit log found.
 */
export interface AuditVerdict {
  ok: boolean;
  /**
   * Lines that were checked.
   */
  checked: number;
  /**
   * Of them, those that are not chained yet: the newest.
   */
  waiting: number;
  /**
   * When the chain began.
   */
  since: string | null;
  /**
   * Position and hash of the newest line. Note it elsewhere, and give it as `head` later.
   */
  head: string | null;
  /**
   * The first line that is not right; absent where all are.
   */
  firstBad?: {
    /**
     * Its place in the chain, from 1.
     */
    position: number | null;
    problem: 'changed' | 'missing' | 'moved' | 'added' | 'head';
    detail: string;
    /**
     * The id of the entry, where it is there.
     */
    id?: string;
  };
}
export interface AuditVerdictResponse {
  success: true;
  data: AuditVerdict;
}
/**
 * A tenant. Nothing of it is visible to another one.
 */
export interface Project {
  /**
   * The id to name as `projectId`.
   */
  id: string;
  /**
   * What the project is for; shown to administrators only.
   */
  name: string;
  /**
   * Whether calls of an administrator act on it that name no project.
   */
  isDefault: boolean;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
}
export interface ProjectPage {
  success: true;
  data: Project[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface CreateProjectRequest {
  /**
   * What the project is for; shown to administrators only.
   */
  name: string;
}
export interface ProjectResponse {
  success: true;
  data: Project;
}
export interface RenameProjectRequest {
  /**
   * What the project is for; shown to administrators only.
   */
  name: string;
}
/**
 * The id of what was removed.
 */
export interface Deleted {
  id: string;
}
export interface DeletedResponse {
  success: true;
  data: Deleted;
}
/**
 * A setting with where its value comes from.
 */
export interface Setting {
  /**
   * The name of the environment variable.
   */
  key: string;
  /**
   * The value in force; null where there is none, `***` for a secret that is set.
   */
  value: (string | number | boolean | (string | number)[]) | null;
  /**
   * The value where nothing is set.
   */
  default: (string | number | boolean | (string | number)[]) | null;
  /**
   * Where the value in force comes from.
   */
  setBy: 'default' | 'environment' | 'installation' | 'project';
  /**
   * Whether it can be set here, and is in force with the next request; others need a restart.
   */
  live: boolean;
  /**
   * Whether the value is never shown.
   */
  secret: boolean;
  updatedAt: string | null;
  /**
   * Who set it here: `admin` or `cli`.
   */
  updatedBy: string | null;
  /**
   * What may be set.
   */
  allowed: string;
  /**
   * What it does.
   */
  help: string;
}
export interface SettingPage {
  success: true;
  data: Setting[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface SettingValues {
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
  /**
   * The value, as text or as JSON; null for what stands behind it.
   */
  [k: string]: string | number | boolean | string[] | null | undefined;
}
/**
 * A change of a setting.
 */
export interface SettingChange {
  /**
   * Grows with each change.
   */
  id: string;
  /**
   * The name of the environment variable.
   */
  key: string;
  /**
   * What was set before; null where nothing was.
   */
  from: string | null;
  /**
   * What is set since; null where nothing is.
   */
  to: string | null;
  /**
   * ISO 8601, UTC
   */
  at: string;
  /**
   * Who: `admin` or `cli`.
   */
  by: string;
}
export interface SettingChangePage {
  success: true;
  data: SettingChange[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
/**
 * An API key without its value.
 */
export interface ApiKey {
  id: string;
  name: string;
  keyPreview: string;
  permissions: (
    | 'otp:send'
    | 'otp:verify'
    | 'otp:read'
    | 'templates:read'
    | 'templates:write'
    | 'bulk:send'
    | 'scheduler:read'
    | 'scheduler:write'
    | 'analytics:read'
    | 'logs:read'
    | 'webhooks:manage'
    | 'keys:manage'
    | '*'
  )[];
  rateLimit: number | null;
  usageCount: number;
  lastUsed: string | null;
  expiresAt: string | null;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  /**
   * The key that created it; revoking that one revokes it too.
   */
  parentId: string | null;
}
export interface ApiKeyPage {
  success: true;
  data: ApiKey[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface CreateApiKeyRequest {
  name: string;
  /**
   * `*` is all of them.
   *
   * @minItems 1
   * @maxItems 13
   */
  permissions: (
    | 'otp:send'
    | 'otp:verify'
    | 'otp:read'
    | 'templates:read'
    | 'templates:write'
    | 'bulk:send'
    | 'scheduler:read'
    | 'scheduler:write'
    | 'analytics:read'
    | 'logs:read'
    | 'webhooks:manage'
    | 'keys:manage'
    | '*'
  )[];
  /**
   * Requests a window, in place of the server's RATE_LIMIT_MAX.
   */
  rateLimit?: number;
  /**
   * The key is refused from then on; RFC 3339, with any offset.
   */
  expiresAt?: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * The new API key. Its value is shown only now.
 */
export interface CreatedApiKey {
  id: string;
  name: string;
  /**
   * Shown only now.
   */
  key: string;
  permissions: (
    | 'otp:send'
    | 'otp:verify'
    | 'otp:read'
    | 'templates:read'
    | 'templates:write'
    | 'bulk:send'
    | 'scheduler:read'
    | 'scheduler:write'
    | 'analytics:read'
    | 'logs:read'
    | 'webhooks:manage'
    | 'keys:manage'
    | '*'
  )[];
  rateLimit: number | null;
  expiresAt: string | null;
}
export interface CreatedApiKeyResponse {
  success: true;
  data: CreatedApiKey;
}
/**
 * When the session ends at the latest.
 */
export interface PageSession {
  /**
   * ISO 8601, UTC
   */
  expiresAt: string;
}
export interface PageSessionResponse {
  success: true;
  data: PageSession;
}
export interface SignInRequest {
  /**
   * From the one-time sign-in link.
   */
  token?: string;
  /**
   * The admin password.
   */
  password?: string;
}
/**
 * The secret of the session and when it ends.
 */
export interface OpenedPageSession {
  /**
   * Send it as `X-Session-Secret` with every call: the cookie alone opens nothing.
   */
  secret: string;
  /**
   * ISO 8601, UTC
   */
  expiresAt: string;
}
export interface OpenedPageSessionResponse {
  success: true;
  data: OpenedPageSession;
}
export interface ProjectOnly {
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * A ticket for one GET request.
 */
export interface Ticket {
  /**
   * Append it as `?ticket=` to the address of one GET request.
   */
  ticket: string;
  /**
   * ISO 8601, UTC
   */
  expiresAt: string;
}
export interface TicketResponse {
  success: true;
  data: Ticket;
}
/**
 * A number that opted out.
 */
export interface OptOut {
  /**
   * E.164.
   */
  phone: string;
  /**
   * ISO 8601, UTC
   */
  since: string;
  note: string | null;
}
export interface OptOutPage {
  success: true;
  data: OptOut[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface AddOptOutRequest {
  /**
   * In any usual notation.
   */
  phone: string;
  /**
   * A note for administrators.
   */
  note?: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface OptOutResponse {
  success: true;
  data: OptOut;
}
export interface AddOptOutOfBotRequest {
  /**
   * In any usual notation.
   */
  phone: string;
  /**
   * A note for administrators.
   */
  note?: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * A message on a virtual phone.
 */
export interface SimulatorMessage {
  /**
   * The id of the stored message.
   */
  id: string;
  /**
   * E.164, or an e-mail address.
   */
  to: string;
  /**
   * Of an e-mail.
   */
  subject?: string;
  /**
   * What the phone shows; bullets in place of the code once the verification has ended.
   */
  text: string;
  channel: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The channel that the virtual phone stood in for.
   */
  plays: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * ISO 8601, UTC
   */
  at: string;
  status: 'queued' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed' | 'expired' | 'canceled';
}
export interface SimulatorMessagePage {
  success: true;
  data: SimulatorMessage[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface SetSimulatorFaultsRequest {
  /**
   * The phone or e-mail address it applies to; all when absent.
   */
  to?: string;
  /**
   * The channel it applies to; all when absent.
   */
  channel?: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The channel is down: messages wait, or go by the next channel. With both `to` and `channel`: the channel refuses this recipient for good.
   */
  refuse?: boolean;
  /**
   * Accepted, but never shown on the phone.
   */
  drop?: boolean;
  /**
   * The message fails for good.
   */
  notOnWhatsApp?: boolean;
  /**
   * Delay before the channel accepts it, in ms.
   */
  delayMs?: number;
}
/**
 * The faults that are simulated now.
 */
export interface SimulatorFaults {
  to: string | null;
  channel: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator') | null;
  refuse: boolean;
  drop: boolean;
  notOnWhatsApp: boolean;
  delayMs: number;
}
export interface SimulatorFaultsResponse {
  success: true;
  data: SimulatorFaults;
}
export interface SimulateReplyRequest {
  /**
   * The phone that writes.
   */
  from: string;
  /**
   * What the user writes.
   */
  text: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * What the text did.
 */
export interface SimulatedReply {
  from: string;
  /**
   * Whether the text opted the number out or in again; null where it did neither.
   */
  optedOut: boolean | null;
  /**
   * What WhatsApp would answer; null for nothing.
   */
  answer: string | null;
}
export interface SimulatedReplyResponse {
  success: true;
  data: SimulatedReply;
}
/**
 * The code to type into the phone.
 */
export interface PairingCode {
  code: string;
  /**
   * ISO 8601, UTC
   */
  expiresAt: string;
}
export interface SendingHealth {
  /**
   * 100: no known problems.
   */
  score: number;
  /**
   * What lowers the score, the most severe first.
   */
  reasons: string[];
  /**
   * Whether it opens new chats (recipients it has not written to before).
   */
  newChats: 'open' | 'stopped';
  newChatsReason: string | null;
  newChatsStoppedUntil: string | null;
  /**
   * Messages it may still send today (UTC).
   */
  leftToday: number;
  /**
   * Messages in flight.
   */
  inFlight: number;
}
/**
 * A WhatsApp session.
 */
export interface Session {
  id: string;
  name: string | null;
  state:
    | 'new'
    | 'pairing'
    | 'connecting'
    | 'open'
    | 'degraded'
    | 'reconnecting'
    | 'logged_out'
    | 'banned'
    | 'paused'
    | 'action_required';
  /**
   * The number linked last, E.164.
   */
  phone: string | null;
  /**
   * Why it is in this state.
   */
  reason: string | null;
  /**
   * When it reconnects automatically.
   */
  nextAttemptAt: string | null;
  /**
   * What to do soon, although it works now.
   */
  warning: string | null;
  /**
   * Without its password.
   */
  proxy: string | null;
  linkedAt: string | null;
  /**
   * When the phone itself was last seen, to the hour.
   */
  phoneSeenAt: string | null;
  pairingCode: PairingCode | null;
  /**
   * Sending health; null until it has connected, and while logged out or banned.
   */
  health: SendingHealth | null;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
}
export interface SessionPage {
  success: true;
  data: Session[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface CreateSessionRequest {
  name?: string | null;
  /**
   * The proxy to reach WhatsApp through; null for none.
   */
  proxy?: string | null;
  /**
   * False for a session that gets its credentials by import.
   */
  link?: boolean;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface SessionResponse {
  success: true;
  data: Session;
}
export interface UpdateSessionRequest {
  name?: string | null;
  /**
   * The proxy to reach WhatsApp through; null for none.
   */
  proxy?: string | null;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface GetSessionQrCodeResponse {
  success: true;
  data: {
    qr: string;
    /**
     * ISO 8601, UTC
     */
    expiresAt: string;
  };
}
export interface CreatePairingCodeRequest {
  /**
   * The number to link.
   */
  phone: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface PairingCodeResponse {
  success: true;
  data: PairingCode;
}
export interface ImportSessionRequest {
  files: {
    [k: string]: string;
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * The files of a Baileys multi-file folder.
 */
export interface ExportedSession {
  files: {
    [k: string]: string;
  };
}
export interface ExportedSessionResponse {
  success: true;
  data: ExportedSession;
}
/**
 * The webhook was genuine and has been read.
 */
export interface WebhookReceived {
  success: true;
}
export interface ReportBounceRequest {
  /**
   * The Message-ID of the mail that came back, with or without angle brackets, or the `messageId` of the send.
   */
  messageId: string;
  /**
   * The `Action` of the report (RFC 3464). Only `failed` changes anything.
   */
  action?: 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';
  /**
   * The `Status` of the report (RFC 3463).
   */
  status?: string;
  /**
   * What the other server said; shown in the timeline of the message.
   */
  diagnostic?: string;
}
/**
 * The report was read.
 */
export interface BounceReceived {
  received: true;
}
export interface BounceReceivedResponse {
  success: true;
  data: BounceReceived;
}
/**
 * A way to reach recipients.
 */
export interface Channel {
  name: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * `waiting`: it sends again in a moment. `off`: not set up, or not until somebody does something about it.
   */
  state: 'ready' | 'waiting' | 'off';
  /**
   * Why it is not ready; null where it is.
   */
  reason: string | null;
  /**
   * The most it reports after the provider took a message; null where it is not set up.
   */
  receipts: ('none' | 'delivered' | 'read') | null;
  /**
   * Its place on the usual route, from 1; null where only a send that names it takes it.
   */
  route: number | null;
}
export interface ChannelPage {
  success: true;
  data: Channel[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
/**
 * A way to reach recipients, with what its provider reports about the sender.
 */
export interface ChannelDetails {
  name: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * `waiting`: it sends again in a moment. `off`: not set up, or not until somebody does something about it.
   */
  state: 'ready' | 'waiting' | 'off';
  /**
   * Why it is not ready; null where it is.
   */
  reason: string | null;
  /**
   * The most it reports after the provider took a message; null where it is not set up.
   */
  receipts: ('none' | 'delivered' | 'read') | null;
  /**
   * Its place on the usual route, from 1; null where only a send that names it takes it.
   */
  route: number | null;
  /**
   * What the provider reports about the sender at this moment, one sentence each: for the Cloud API the quality and limit of each number, and the state of the template.
   */
  details: string[];
}
export interface ChannelDetailsResponse {
  success: true;
  data: ChannelDetails;
}
/**
 * What e-mail sends in place of `text`.
 */
export interface EmailTexts {
  /**
   * Never with {{code}}.
   */
  subject: string;
  /**
   * The plain text of the mail.
   */
  text: string;
  /**
   * The HTML of the mail; made from the text when absent.
   */
  html?: string;
}
/**
 * A template with the texts of its present version.
 */
export interface Template {
  id: string;
  /**
   * What a send names it by.
   */
  code: string;
  name: string;
  /**
   * The text in the default language; `{{code}}` is where the code stands, other placeholders are variables.
   */
  content: string;
  /**
   * BCP 47.
   */
  language: string;
  /**
   * The names that may stand in the texts.
   *
   * @maxItems 50
   */
  variables: string[];
  /**
   * Texts by language (BCP 47), 50 languages and 65536 characters in all at most. Each has `text`; the entry of the default language needs none, as `content` is its text.
   */
  translations: {
    [k: string]: {
      /**
       * The text.
       */
      text?: string;
      /**
       * What SMS and HTTP providers send in place of `text`.
       */
      sms?: string;
      email?: EmailTexts;
    };
  };
  /**
   * Counts up with each change of the texts.
   */
  version: number;
  /**
   * Messages made from it.
   */
  usageCount: number;
  isActive: boolean;
  /**
   * Absent for the built-in text.
   */
  createdAt?: string;
  /**
   * Absent for the built-in text.
   */
  updatedAt?: string;
}
export interface TemplatePage {
  success: true;
  data: Template[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface CreateTemplateRequest {
  code: string;
  name: string;
  /**
   * The text in the default language; `{{code}}` is where the code stands, other placeholders are variables.
   */
  content: string;
  /**
   * BCP 47.
   */
  language: string;
  /**
   * The names that may stand in the texts.
   *
   * @maxItems 50
   */
  variables?: string[];
  /**
   * Texts by language (BCP 47), 50 languages and 65536 characters in all at most. Each has `text`; the entry of the default language needs none, as `content` is its text.
   */
  translations?: {
    [k: string]: {
      /**
       * The text.
       */
      text?: string;
      /**
       * What SMS and HTTP providers send in place of `text`.
       */
      sms?: string;
      email?: EmailTexts;
    };
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface TemplateResponse {
  success: true;
  data: Template;
}
export interface LintTemplateRequest {
  /**
   * The text in the default language.
   */
  content: string;
  /**
   * The names that may stand in the texts.
   *
   * @maxItems 50
   */
  variables?: string[];
  translations?: {
    [k: string]: {
      text?: string;
      sms?: string;
      email?: {
        subject: string;
        text: string;
        html?: string;
      };
    };
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface LintFinding {
  rule:
    | 'syntax'
    | 'no-code'
    | 'two-codes'
    | 'foreign-placeholder'
    | 'link'
    | 'emoji'
    | 'meta-length'
    | 'sms-parts'
    | 'look-alike'
    | 'invisible'
    | 'html';
  /**
   * `error`: it cannot be saved, or codes sent with it would be misread.
   */
  severity: 'error' | 'warning';
  path: string;
  /**
   * From 1.
   */
  line?: number;
  /**
   * From 1, in UTF-16 code units.
   */
  column?: number;
  message: string;
}
/**
 * What was found, in the order of the texts; 100 at most.
 */
export interface LintResult {
  findings: LintFinding[];
}
export interface LintResultResponse {
  success: true;
  data: LintResult;
}
export interface UpdateTemplateRequest {
  name?: string;
  /**
   * The text in the default language; `{{code}}` is where the code stands, other placeholders are variables.
   */
  content?: string;
  /**
   * BCP 47.
   */
  language?: string;
  /**
   * The names that may stand in the texts.
   *
   * @maxItems 50
   */
  variables?: string[];
  /**
   * Texts by language (BCP 47), 50 languages and 65536 characters in all at most. Each has `text`; the entry of the default language needs none, as `content` is its text.
   */
  translations?: {
    [k: string]: {
      /**
       * The text.
       */
      text?: string;
      /**
       * What SMS and HTTP providers send in place of `text`.
       */
      sms?: string;
      email?: EmailTexts;
    };
  };
  /**
   * Whether sends may use it.
   */
  isActive?: boolean;
  /**
   * The version that the change was made from; 409 where the template is at another one by now.
   */
  version?: number;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * What a template said at one time.
 */
export interface TemplateVersion {
  version: number;
  /**
   * The text in the default language; `{{code}}` is where the code stands, other placeholders are variables.
   */
  content: string;
  /**
   * BCP 47.
   */
  language: string;
  /**
   * The names that may stand in the texts.
   *
   * @maxItems 50
   */
  variables: string[];
  /**
   * Texts by language (BCP 47), 50 languages and 65536 characters in all at most. Each has `text`; the entry of the default language needs none, as `content` is its text.
   */
  translations: {
    [k: string]: {
      /**
       * The text.
       */
      text?: string;
      /**
       * What SMS and HTTP providers send in place of `text`.
       */
      sms?: string;
      email?: EmailTexts;
    };
  };
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  createdBy: string;
}
export interface TemplateVersionPage {
  success: true;
  data: TemplateVersion[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface RestoreTemplateRequest {
  version: number;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface PreviewTemplateRequest {
  /**
   * Values of the template's placeholders, at most 1000 characters each. The code is never one of them.
   */
  variables?: {
    [k: string]: string | number;
  };
  /**
   * BCP 47.
   */
  locale?: string;
  channel?: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * What a channel would send, with a sample code.
 */
export interface TemplatePreview {
  channel: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * BCP 47.
   */
  locale: string;
  text: string;
  /**
   * E-mail only.
   */
  subject?: string;
  /**
   * E-mail only; made from the text where the template has none.
   */
  html?: string;
  /**
   * Characters of the text; of SMS as its encoding counts them.
   */
  characters: number;
  /**
   * SMS only.
   */
  encoding?: 'GSM-7' | 'UCS-2';
  /**
   * Parts that the SMS is billed as.
   */
  segments?: number;
}
export interface TemplatePreviewResponse {
  success: true;
  data: TemplatePreview;
}
/**
 * An address with a fixed code, to which nothing is sent.
 */
export interface TestNumber {
  id: string;
  /**
   * E.164.
   */
  phone?: string;
  email?: string;
  /**
   * The code that verifies it.
   */
  code: string;
  note: string | null;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
}
export interface TestNumberPage {
  success: true;
  data: TestNumber[];
}
export interface AddTestNumberRequest {
  /**
   * In any usual notation. Give this or `email`.
   */
  phone?: string;
  email?: string;
  /**
   * The code that verifies it.
   */
  code: string;
  /**
   * What it is for.
   */
  note?: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface TestNumberResponse {
  success: true;
  data: TestNumber;
}
export interface SendVerificationRequest {
  /**
   * In any usual notation. Digits without + are a number of `DEFAULT_REGION` where they can be one, else 11 to 15 digits with the country code.
   */
  phone?: string;
  /**
   * One plain address. Without `phone` it is what is proved, else one more way to reach the recipient.
   */
  email?: string;
  /**
   * What the code is for; each purpose has its own verification.
   */
  purpose?: string;
  /**
   * Your own code; WOTP creates one when absent.
   */
  code?: string;
  /**
   * Length of the code that WOTP creates.
   */
  length?: number;
  /**
   * What the code is made of (default `numeric`).
   */
  alphabet?: 'numeric' | 'alphanumeric';
  /**
   * Your own text, with `{{code}}` or the given `code` in it. With neither, its only run of 4 to 8 digits is the code; several different ones are refused, and so is any other placeholder, such as `{{name}}` or, without `{{code}}`, `{code}`.
   */
  message?: string;
  /**
   * The code of a template to send, in place of `message`; `default` is the built-in text. Each of its texts needs `{{code}}`.
   */
  template?: string;
  /**
   * Values of the template's placeholders, at most 1000 characters each. The code is never one of them.
   */
  variables?: {
    [k: string]: string | number;
  };
  /**
   * The language of the text, BCP 47. Without it, or without such a text, the country of the phone decides, then the template's default.
   */
  locale?: string;
  /**
   * One channel only; `auto` takes the usual route.
   */
  channel?: 'auto' | 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The route of this send: the channels in order, in place of `CHANNELS`.
   *
   * @minItems 1
   * @maxItems 6
   */
  channels?: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator')[];
  /**
   * Minutes the code lives; 11 to 60 only where OTP_MAX_EXPIRY_MINUTES allows it.
   */
  expiryMinutes?: number;
  /**
   * The end user's address, for the limits of sends and of guesses that count by it. Give it in send and verify.
   */
  clientIp?: string;
  /**
   * Any JSON of yours, up to 4 KB; returned by GET. That of a retry is kept with its message and shown in the timeline; the first one stays with the verification.
   */
  metadata?: {
    [k: string]: unknown;
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * The pending verification, whose code was sent again.
 */
export interface RetriedVerification {
  /**
   * The id of a send.
   */
  id: string;
  /**
   * The newest message of this verification.
   */
  messageId: string;
  /**
   * E.164; absent where an e-mail address is proved.
   */
  phone?: string;
  email?: string;
  purpose: string;
  channel: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * In mock mode the channel that the virtual phone stands in for.
   */
  plays?: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The channels in order.
   */
  route: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator')[];
  /**
   * When the next channel is used if nothing arrives; null when none is.
   */
  nextAt: string | null;
  status: 'pending' | 'verified' | 'expired' | 'canceled' | 'max_attempts_reached' | 'failed';
  messageStatus: 'queued' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed' | 'expired' | 'canceled';
  /**
   * ISO 8601, UTC
   */
  expiresAt: string;
  /**
   * When the next message to this phone is allowed.
   */
  resendAt: string;
  /**
   * Attempts left.
   */
  attemptsRemaining: number;
  /**
   * Present where the address was a test number: nothing is sent.
   */
  test?: true;
  retried: true;
}
export interface RetriedVerificationResponse {
  success: true;
  data: RetriedVerification;
}
/**
 * A verification in its current state.
 */
export interface Verification {
  /**
   * The id of a send.
   */
  id: string;
  /**
   * The newest message of this verification.
   */
  messageId: string;
  /**
   * E.164; absent where an e-mail address is proved.
   */
  phone?: string;
  email?: string;
  purpose: string;
  channel: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * In mock mode the channel that the virtual phone stands in for.
   */
  plays?: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The channels in order.
   */
  route: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator')[];
  /**
   * When the next channel is used if nothing arrives; null when none is.
   */
  nextAt: string | null;
  status: 'pending' | 'verified' | 'expired' | 'canceled' | 'max_attempts_reached' | 'failed';
  messageStatus: 'queued' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed' | 'expired' | 'canceled';
  /**
   * ISO 8601, UTC
   */
  expiresAt: string;
  /**
   * When the next message to this phone is allowed.
   */
  resendAt: string;
  /**
   * Attempts left.
   */
  attemptsRemaining: number;
  /**
   * Present where the address was a test number: nothing is sent.
   */
  test?: true;
}
export interface VerificationResponse {
  success: true;
  data: Verification;
}
export interface CheckVerificationRequest {
  /**
   * The id of the send. Give either this or `phone`.
   */
  id?: string;
  /**
   * The phone of the send, with its `purpose`. Give this, `email` or `id`.
   */
  phone?: string;
  /**
   * The address of a send without a phone, with its `purpose`.
   */
  email?: string;
  /**
   * The purpose of the send, beside `phone`; `default` when absent.
   */
  purpose?: string;
  /**
   * What the user typed or pasted: 4 to 10 letters or digits of any script; white space, dashes and invisible characters are ignored.
   */
  code: string;
  /**
   * The end user's address, for the limits of sends and of guesses that count by it. Give it in send and verify.
   */
  clientIp?: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * The code is right: the phone, or the e-mail address where there is none, is verified. With `email` among the `channels` a phone is proved only as far as your request vouched that both belong to one person.
 */
export interface VerifiedAddress {
  valid: true;
  /**
   * The id of a send.
   */
  id: string;
  phone?: string;
  email?: string;
  purpose: string;
  status: 'verified';
  /**
   * ISO 8601, UTC
   */
  verifiedAt: string;
  /**
   * Those by which the code was sent.
   */
  channels: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator')[];
  /**
   * Present where the address was a test number: nothing is sent.
   */
  test?: true;
}
export interface VerifiedAddressResponse {
  success: true;
  data: VerifiedAddress;
}
/**
 * What happened to a message.
 */
export interface TimelineEntry {
  /**
   * ISO 8601, UTC
   */
  at: string;
  messageId: string;
  channel: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * In mock mode: the channel that the virtual phone stood in for.
   */
  plays?: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  status: 'queued' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed' | 'expired' | 'canceled';
  reason: string | null;
  /**
   * The metadata of a retry, at the first entry of its message.
   */
  metadata?: {
    [k: string]: unknown;
  };
  /**
   * The template that a message is made from, at its first entry.
   */
  template?: {
    code: string;
    version: number;
  };
}
/**
 * A verification and what happened to each of its messages.
 */
export interface VerificationWithTimeline {
  /**
   * The id of a send.
   */
  id: string;
  /**
   * The newest message of this verification.
   */
  messageId: string;
  /**
   * E.164; absent where an e-mail address is proved.
   */
  phone?: string;
  email?: string;
  purpose: string;
  channel: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * In mock mode the channel that the virtual phone stands in for.
   */
  plays?: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The channels in order.
   */
  route: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator')[];
  /**
   * When the next channel is used if nothing arrives; null when none is.
   */
  nextAt: string | null;
  status: 'pending' | 'verified' | 'expired' | 'canceled' | 'max_attempts_reached' | 'failed';
  messageStatus: 'queued' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed' | 'expired' | 'canceled';
  /**
   * ISO 8601, UTC
   */
  expiresAt: string;
  /**
   * When the next message to this phone is allowed.
   */
  resendAt: string;
  /**
   * Attempts left.
   */
  attemptsRemaining: number;
  /**
   * Present where the address was a test number: nothing is sent.
   */
  test?: true;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  verifiedAt: string | null;
  reason: string | null;
  metadata: {
    [k: string]: unknown;
  } | null;
  timeline: TimelineEntry[];
}
export interface VerificationWithTimelineResponse {
  success: true;
  data: VerificationWithTimeline;
}
/**
 * A verification with its times, reason and metadata.
 */
export interface VerificationDetails {
  /**
   * The id of a send.
   */
  id: string;
  /**
   * The newest message of this verification.
   */
  messageId: string;
  /**
   * E.164; absent where an e-mail address is proved.
   */
  phone?: string;
  email?: string;
  purpose: string;
  channel: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * In mock mode the channel that the virtual phone stands in for.
   */
  plays?: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The channels in order.
   */
  route: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator')[];
  /**
   * When the next channel is used if nothing arrives; null when none is.
   */
  nextAt: string | null;
  status: 'pending' | 'verified' | 'expired' | 'canceled' | 'max_attempts_reached' | 'failed';
  messageStatus: 'queued' | 'sending' | 'sent' | 'delivered' | 'read' | 'failed' | 'expired' | 'canceled';
  /**
   * ISO 8601, UTC
   */
  expiresAt: string;
  /**
   * When the next message to this phone is allowed.
   */
  resendAt: string;
  /**
   * Attempts left.
   */
  attemptsRemaining: number;
  /**
   * Present where the address was a test number: nothing is sent.
   */
  test?: true;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  verifiedAt: string | null;
  reason: string | null;
  metadata: {
    [k: string]: unknown;
  } | null;
}
export interface VerificationDetailsPage {
  success: true;
  data: VerificationDetails[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
/**
 * What counts towards the limits of the phone.
 */
export interface PhoneLimits {
  phone: string;
  messagesLast10Minutes: number;
  messagesLastDay: number;
  failedChecksLastDay: number;
  /**
   * From a client address that has verified this phone in the last 30 days.
   */
  guessesRemaining: number;
  /**
   * From every other client address, and from requests without `clientIp`.
   */
  guessesRemainingUnknownClient: number;
  /**
   * Null when a send is allowed now.
   */
  nextSendAt: string | null;
}
export interface PhoneLimitsResponse {
  success: true;
  data: PhoneLimits;
}
/**
 * The phone whose limits were cleared.
 */
export interface ClearedLimits {
  /**
   * The phone, E.164.
   */
  id: string;
}
export interface ClearedLimitsResponse {
  success: true;
  data: ClearedLimits;
}
export interface ScheduleVerificationRequest {
  /**
   * In any usual notation. Digits without + are a number of `DEFAULT_REGION` where they can be one, else 11 to 15 digits with the country code.
   */
  phone?: string;
  /**
   * One plain address. Without `phone` it is what is proved, else one more way to reach the recipient.
   */
  email?: string;
  /**
   * What the code is for; each purpose has its own verification.
   */
  purpose?: string;
  /**
   * Your own code; WOTP creates one when absent.
   */
  code?: string;
  /**
   * Length of the code that WOTP creates.
   */
  length?: number;
  /**
   * What the code is made of (default `numeric`).
   */
  alphabet?: 'numeric' | 'alphanumeric';
  /**
   * Your own text, with `{{code}}` or the given `code` in it. With neither, its only run of 4 to 8 digits is the code; several different ones are refused, and so is any other placeholder, such as `{{name}}` or, without `{{code}}`, `{code}`.
   */
  message?: string;
  /**
   * The code of a template to send, in place of `message`; `default` is the built-in text. Each of its texts needs `{{code}}`.
   */
  template?: string;
  /**
   * Values of the template's placeholders, at most 1000 characters each. The code is never one of them.
   */
  variables?: {
    [k: string]: string | number;
  };
  /**
   * The language of the text, BCP 47. Without it, or without such a text, the country of the phone decides, then the template's default.
   */
  locale?: string;
  /**
   * One channel only; `auto` takes the usual route.
   */
  channel?: 'auto' | 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The route of this send: the channels in order, in place of `CHANNELS`.
   *
   * @minItems 1
   * @maxItems 6
   */
  channels?: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator')[];
  /**
   * Minutes the code lives; 11 to 60 only where OTP_MAX_EXPIRY_MINUTES allows it.
   */
  expiryMinutes?: number;
  /**
   * The end user's address, for the limits of sends and of guesses that count by it. Give it in send and verify.
   */
  clientIp?: string;
  /**
   * Any JSON of yours, up to 4 KB; returned by GET. That of a retry is kept with its message and shown in the timeline; the first one stays with the verification.
   */
  metadata?: {
    [k: string]: unknown;
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
  /**
   * When to send: RFC 3339, with any offset; in the future, at most a year ahead.
   */
  scheduledTime: string;
  /**
   * How often to try when a limit or a channel refuses: again after 30 s, 1, 2 and 4 minutes, not before the refusal allows it.
   */
  maxAttempts?: number;
}
/**
 * A send at a later time, in its current state.
 */
export interface Schedule {
  /**
   * The id of a schedule.
   */
  id: string;
  /**
   * E.164; absent where an e-mail address is proved.
   */
  phone?: string;
  email?: string;
  purpose: string;
  /**
   * ISO 8601, UTC
   */
  scheduledTime: string;
  status: 'pending' | 'fired' | 'canceled' | 'expired' | 'failed';
  /**
   * Attempts to send it so far.
   */
  attempts: number;
  maxAttempts: number;
  /**
   * When it is sent; null once it has ended.
   */
  nextAttemptAt: string | null;
  /**
   * The verification that was sent; null unless it has fired.
   */
  verificationId: string | null;
  /**
   * Why it expired or failed, or why the last attempt was refused.
   */
  reason: string | null;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  /**
   * When it was no longer pending.
   */
  endedAt: string | null;
}
export interface ScheduleResponse {
  success: true;
  data: Schedule;
}
export interface SchedulePage {
  success: true;
  data: Schedule[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
/**
 * A schedule with the metadata of its send.
 */
export interface ScheduleDetails {
  /**
   * The id of a schedule.
   */
  id: string;
  /**
   * E.164; absent where an e-mail address is proved.
   */
  phone?: string;
  email?: string;
  purpose: string;
  /**
   * ISO 8601, UTC
   */
  scheduledTime: string;
  status: 'pending' | 'fired' | 'canceled' | 'expired' | 'failed';
  /**
   * Attempts to send it so far.
   */
  attempts: number;
  maxAttempts: number;
  /**
   * When it is sent; null once it has ended.
   */
  nextAttemptAt: string | null;
  /**
   * The verification that was sent; null unless it has fired.
   */
  verificationId: string | null;
  /**
   * Why it expired or failed, or why the last attempt was refused.
   */
  reason: string | null;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  /**
   * When it was no longer pending.
   */
  endedAt: string | null;
  /**
   * That of the send while it is pending; afterwards the verification has it.
   */
  metadata: {
    [k: string]: unknown;
  } | null;
}
export interface ScheduleDetailsResponse {
  success: true;
  data: ScheduleDetails;
}
export interface ChangeScheduleRequest {
  /**
   * In any usual notation. Digits without + are a number of `DEFAULT_REGION` where they can be one, else 11 to 15 digits with the country code.
   */
  phone?: string;
  /**
   * One plain address. Without `phone` it is what is proved, else one more way to reach the recipient.
   */
  email?: string;
  /**
   * What the code is for; each purpose has its own verification.
   */
  purpose?: string;
  /**
   * Your own code; WOTP creates one when absent.
   */
  code?: string;
  /**
   * Length of the code that WOTP creates.
   */
  length?: number;
  /**
   * What the code is made of (default `numeric`).
   */
  alphabet?: 'numeric' | 'alphanumeric';
  /**
   * Your own text, with `{{code}}` or the given `code` in it. With neither, its only run of 4 to 8 digits is the code; several different ones are refused, and so is any other placeholder, such as `{{name}}` or, without `{{code}}`, `{code}`.
   */
  message?: string;
  /**
   * The code of a template to send, in place of `message`; `default` is the built-in text. Each of its texts needs `{{code}}`.
   */
  template?: string;
  /**
   * Values of the template's placeholders, at most 1000 characters each. The code is never one of them.
   */
  variables?: {
    [k: string]: string | number;
  };
  /**
   * The language of the text, BCP 47. Without it, or without such a text, the country of the phone decides, then the template's default.
   */
  locale?: string;
  /**
   * One channel only; `auto` takes the usual route.
   */
  channel?: 'auto' | 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * The route of this send: the channels in order, in place of `CHANNELS`.
   *
   * @minItems 1
   * @maxItems 6
   */
  channels?: ('whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator')[];
  /**
   * Minutes the code lives; 11 to 60 only where OTP_MAX_EXPIRY_MINUTES allows it.
   */
  expiryMinutes?: number;
  /**
   * The end user's address, for the limits of sends and of guesses that count by it. Give it in send and verify.
   */
  clientIp?: string;
  /**
   * Any JSON of yours, up to 4 KB; returned by GET. That of a retry is kept with its message and shown in the timeline; the first one stays with the verification.
   */
  metadata?: {
    [k: string]: unknown;
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
  /**
   * When to send: RFC 3339, with any offset; in the future, at most a year ahead.
   */
  scheduledTime?: string;
  /**
   * How often to try when a limit or a channel refuses: again after 30 s, 1, 2 and 4 minutes, not before the refusal allows it.
   */
  maxAttempts?: number;
}
/**
 * A bulk job and how far it is.
 */
export interface Bulk {
  bulkId: string;
  status: 'processing' | 'paused' | 'completed' | 'canceled';
  /**
   * Recipients, without the duplicates.
   */
  total: number;
  /**
   * Those that are done: `successful` and `failed` together.
   */
  processed: number;
  /**
   * Those whose message a channel took.
   */
  successful: number;
  /**
   * Those who got no message: no channel took it, or they were rejected.
   */
  failed: number;
  /**
   * Of the failed ones, those to whom nothing may be sent.
   */
  rejected: number;
  /**
   * Those whom a canceled job did not reach.
   */
  canceled: number;
  /**
   * Rows that named a recipient again.
   */
  duplicates: number;
  /**
   * Percent of the recipients that are done.
   */
  progress: string;
  /**
   * Recipients done a second since the start, or the last resume.
   */
  ratePerSecond: number | null;
  /**
   * Seconds until it is completed at this rate; null while it does not run.
   */
  etaSeconds: number | null;
  /**
   * Why nothing is sent at the moment; null while something is.
   */
  reason: string | null;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  completedAt: string | null;
  metadata: {
    [k: string]: unknown;
  } | null;
}
export interface BulkPage {
  success: true;
  data: Bulk[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface BulkResponse {
  success: true;
  data: Bulk;
}
/**
 * What became of one recipient.
 */
export interface BulkResult {
  /**
   * The line in the file, or the place in `recipients`, from 0.
   */
  line: number;
  phone: string | null;
  email: string | null;
  /**
   * The state of the message; `waiting` before there is one, `rejected` or `canceled` where there will be none.
   */
  status: string;
  reason: string | null;
  messageId: string | null;
  verificationId: string | null;
}
export interface BulkResultPage {
  success: true;
  data: BulkResult[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface CreateV3TokenResponse {
  success: true;
  token: string;
  message: string;
}
export interface V3LogEntry {
  /**
   * The same as the `webhook-id` of its delivery.
   */
  id: string;
  /**
   * ISO 8601, UTC
   */
  at: string;
  type: string;
  /**
   * Who did it; null where nobody is known.
   */
  actor: string | null;
  /**
   * What it is about; null where the type says it.
   */
  subject: string | null;
  /**
   * What the type adds. An act has the `address` it came from, and `before` and `after` of what it changed.
   */
  data: {
    [k: string]: unknown;
  };
  action: string;
  /**
   * ISO 8601, UTC
   */
  timestamp: string;
}
export interface V3LogEntryPage {
  success: true;
  data: V3LogEntry[];
}
/**
 * Whether a WhatsApp number is connected.
 */
export interface WhatsAppLink {
  connected: boolean;
  /**
   * Seconds since the start.
   */
  uptime: number;
  mode?: 'mock';
}
export interface WhatsAppLinkResponse {
  success: true;
  data: WhatsAppLink;
}
export interface ImportFromV3Request {
  /**
   * They become API keys.
   *
   * @maxItems 100
   */
  tokens?: {
    /**
     * SHA-256 of the whole `otp_…` token, hex.
     */
    hash: string;
    /**
     * When v3 created it; now when absent.
     */
    createdAt?: string;
  }[];
  /**
   * What the keys of these tokens may do; `*` is all of them.
   *
   * @minItems 1
   * @maxItems 13
   */
  permissions?: (
    | 'otp:send'
    | 'otp:verify'
    | 'otp:read'
    | 'templates:read'
    | 'templates:write'
    | 'bulk:send'
    | 'scheduler:read'
    | 'scheduler:write'
    | 'analytics:read'
    | 'logs:read'
    | 'webhooks:manage'
    | 'keys:manage'
    | '*'
  )[];
  /**
   * They become events with their original time.
   *
   * @maxItems 100
   */
  logs?: {
    /**
     * RFC 3339, with any offset.
     */
    at: string;
    /**
     * v3's name for what happened, without digits.
     */
    action: string;
    /**
     * The beginning of its token's hash.
     */
    token?: string;
    /**
     * Masked but for its last four digits.
     */
    phone?: string;
    /**
     * 1 for the second of two equal lines, 2 for the third.
     */
    repeat?: number;
  }[];
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * How many entries were imported.
 */
export interface ImportResult {
  /**
   * New API keys.
   */
  tokens: number;
  /**
   * New events.
   */
  logs: number;
  /**
   * Entries that were already here, or are in the future.
   */
  skipped: number;
}
export interface ImportResultResponse {
  success: true;
  data: ImportResult;
}
/**
 * How a project is doing now.
 */
export interface Stats {
  /**
   * Messages that wait.
   */
  queued: number;
  /**
   * Messages that a channel is sending.
   */
  sending: number;
  /**
   * Messages that a provider acknowledged in the last 60 seconds.
   */
  sentPerMinute: number;
  /**
   * Messages that reached the device in the last 60 seconds.
   */
  deliveredPerMinute: number;
  /**
   * Verifications that succeeded in the last 60 seconds.
   */
  verifiedPerMinute: number;
  /**
   * How long the oldest queued message has waited; 0 where none waits.
   */
  oldestQueuedSeconds: number;
  delivery: {
    /**
     * Half of the messages delivered in the last 60 seconds took at most this long since they were accepted, in ms; null where none was.
     */
    p50Ms: number | null;
    /**
     * 95 % of the messages delivered in the last 60 seconds took at most this long since they were accepted, in ms; null where none was.
     */
    p95Ms: number | null;
  };
  channels: {
    name: 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
    state: 'ready' | 'waiting' | 'off';
    /**
     * The share of its latest 256 tries on this server that the provider acknowledged, 0 to 1; null where it had none.
     */
    successRate: number | null;
    /**
     * 95 % of the acknowledgements came within this time, in ms; null where none came.
     */
    p95Ms: number | null;
  }[];
}
export interface StatsResponse {
  success: true;
  data: Stats;
}
/**
 * A webhook endpoint without its secret.
 */
export interface WebhookEndpoint {
  /**
   * The endpoint.
   */
  id: string;
  url: string;
  events: string[];
  description: string | null;
  enabled: boolean;
  /**
   * `gone`: it answered 410; `failing`: every attempt of five days failed.
   */
  disabledReason: ('gone' | 'failing') | null;
  /**
   * The names of your own headers.
   */
  headerNames: string[];
  /**
   * Since when every attempt has failed.
   */
  failingSince: string | null;
  /**
   * Whether a recovery is running.
   */
  recovering: boolean;
  /**
   * Until when the secret before the present one signs as well.
   */
  previousSecretUntil: string | null;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  /**
   * ISO 8601, UTC
   */
  updatedAt: string;
}
export interface WebhookEndpointPage {
  success: true;
  data: WebhookEndpoint[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
export interface CreateWebhookRequest {
  /**
   * Where events are sent to: an https address (http too outside production) on the public internet. Internal addresses are refused unless `WEBHOOK_ALLOWED_ADDRESSES` lists them.
   */
  url: string;
  /**
   * Event types; `otp.*` is all of a kind, `*` all of them, those of later versions too.
   *
   * @minItems 1
   * @maxItems 33
   */
  events: string[];
  /**
   * What it is for, in your words.
   */
  description?: string | null;
  /**
   * Whether events are sent. Deliveries of a disabled endpoint fail.
   */
  enabled?: boolean;
  /**
   * Headers of your own for every request. Their values are stored encrypted and never shown.
   */
  headers?: {
    [k: string]: string;
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * The webhook endpoint with its secret, which is shown only now.
 */
export interface WebhookEndpointWithSecret {
  /**
   * The endpoint.
   */
  id: string;
  url: string;
  events: string[];
  description: string | null;
  enabled: boolean;
  /**
   * `gone`: it answered 410; `failing`: every attempt of five days failed.
   */
  disabledReason: ('gone' | 'failing') | null;
  /**
   * The names of your own headers.
   */
  headerNames: string[];
  /**
   * Since when every attempt has failed.
   */
  failingSince: string | null;
  /**
   * Whether a recovery is running.
   */
  recovering: boolean;
  /**
   * Until when the secret before the present one signs as well.
   */
  previousSecretUntil: string | null;
  /**
   * ISO 8601, UTC
   */
  createdAt: string;
  /**
   * ISO 8601, UTC
   */
  updatedAt: string;
  /**
   * Verifies what is sent. Shown only now.
   */
  secret: string;
}
export interface WebhookEndpointWithSecretResponse {
  success: true;
  data: WebhookEndpointWithSecret;
}
export interface WebhookEndpointResponse {
  success: true;
  data: WebhookEndpoint;
}
export interface UpdateWebhookRequest {
  /**
   * Where events are sent to: an https address (http too outside production) on the public internet. Internal addresses are refused unless `WEBHOOK_ALLOWED_ADDRESSES` lists them.
   */
  url?: string;
  /**
   * Event types; `otp.*` is all of a kind, `*` all of them, those of later versions too.
   *
   * @minItems 1
   * @maxItems 33
   */
  events?: string[];
  /**
   * What it is for, in your words.
   */
  description?: string | null;
  /**
   * Whether events are sent. Deliveries of a disabled endpoint fail.
   */
  enabled?: boolean;
  /**
   * Headers of your own for every request. Their values are stored encrypted and never shown.
   */
  headers?: {
    [k: string]: string;
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * One event for one endpoint, with the latest 20 attempts.
 */
export interface WebhookDelivery {
  /**
   * The delivery.
   */
  id: string;
  /**
   * The `webhook-id` of every attempt.
   */
  eventId: string;
  type: string;
  status: 'pending' | 'delivered' | 'failed';
  attempts: {
    /**
     * ISO 8601, UTC
     */
    at: string;
    /**
     * The HTTP status; null where there was no answer.
     */
    status: number | null;
    durationMs: number;
    error?: string;
    /**
     * The first kilobyte of the answer.
     */
    body?: string;
  }[];
  /**
   * When the next attempt is due; null when there is none, while one is under way, and while an earlier event of the same verification is pending.
   */
  nextAttemptAt: string | null;
  /**
   * When the event happened.
   */
  createdAt: string;
}
export interface WebhookDeliveryResponse {
  success: true;
  data: WebhookDelivery;
}
export interface RecoverWebhookRequest {
  /**
   * Events from then on are sent. RFC 3339, with any offset.
   */
  since: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface WebhookDeliveryPage {
  success: true;
  data: WebhookDelivery[];
  page: {
    /**
     * Give it as `cursor`; null on the last page.
     */
    next: string | null;
  };
}
/**
 * A phone number and its messages.
 */
export interface TopPhone {
  /**
   * E.164; masked for keys without `logs:read`.
   */
  phone: string;
  /**
   * Messages to it that a provider acknowledged.
   */
  count: number;
}
/**
 * What became of the messages of a period.
 */
export interface SuccessRate {
  /**
   * Messages that were accepted.
   */
  total: number;
  /**
   * Messages that a provider acknowledged and that did not fail later.
   */
  successful: number;
  /**
   * Messages that failed, or whose code expired before they were sent.
   */
  failed: number;
  /**
   * `successful` of `total` in percent, with two decimals; `0.00` of none.
   */
  successRate: string;
}
/**
 * A project in the last days.
 */
export interface AnalyticsDashboard {
  dailyStats: {
    /**
     * The day in `timezone`.
     */
    date: string;
    /**
     * Messages that were accepted on it.
     */
    total: number;
    /**
     * As in `successRate`.
     */
    successful: number;
    /**
     * As in `successRate`.
     */
    failed: number;
  }[];
  topPhones: TopPhone[];
  successRate: SuccessRate;
  /**
   * The mean time from the acceptance of a message to the receipt of its delivery, in seconds; `0.00s` where there is none.
   */
  averageDeliveryTime: string;
  /**
   * The days that were asked for.
   */
  period: string;
  /**
   * The time zone of the days.
   */
  timezone: string;
}
export interface AnalyticsDashboardResponse {
  success: true;
  data: AnalyticsDashboard;
}
export interface SuccessRateResponse {
  success: true;
  data: SuccessRate;
}
/**
 * How long messages took from their acceptance to the receipt of their delivery. Percentiles are at most 9 % too high, never too low.
 */
export interface DeliveryTime {
  /**
   * The mean in seconds, as in v3.
   */
  averageDeliveryTime: string;
  /**
   * Messages with a receipt of their delivery.
   */
  messages: number;
  /**
   * The mean, in ms; null where nothing was measured.
   */
  averageMs: number | null;
  /**
   * Half of them took at most this long, in ms; null where nothing was measured.
   */
  p50Ms: number | null;
  /**
   * 90 % took at most this long, in ms; null where nothing was measured.
   */
  p90Ms: number | null;
  /**
   * 95 % took at most this long, in ms; null where nothing was measured.
   */
  p95Ms: number | null;
  /**
   * 99 % took at most this long, in ms; null where nothing was measured.
   */
  p99Ms: number | null;
  byChannel: {
    /**
     * The channel.
     */
    key: string;
    /**
     * Messages with a receipt of their delivery.
     */
    messages: number;
    /**
     * The mean, in ms; null where nothing was measured.
     */
    averageMs: number | null;
    /**
     * Half of them took at most this long, in ms; null where nothing was measured.
     */
    p50Ms: number | null;
    /**
     * 90 % took at most this long, in ms; null where nothing was measured.
     */
    p90Ms: number | null;
    /**
     * 95 % took at most this long, in ms; null where nothing was measured.
     */
    p95Ms: number | null;
    /**
     * 99 % took at most this long, in ms; null where nothing was measured.
     */
    p99Ms: number | null;
  }[];
  byCountry: {
    /**
     * The country (ISO 3166-1 alpha-2); `(none)` for e-mail.
     */
    key: string;
    /**
     * Messages with a receipt of their delivery.
     */
    messages: number;
    /**
     * The mean, in ms; null where nothing was measured.
     */
    averageMs: number | null;
    /**
     * Half of them took at most this long, in ms; null where nothing was measured.
     */
    p50Ms: number | null;
    /**
     * 90 % took at most this long, in ms; null where nothing was measured.
     */
    p90Ms: number | null;
    /**
     * 95 % took at most this long, in ms; null where nothing was measured.
     */
    p95Ms: number | null;
    /**
     * 99 % took at most this long, in ms; null where nothing was measured.
     */
    p99Ms: number | null;
  }[];
}
export interface DeliveryTimeResponse {
  success: true;
  data: DeliveryTime;
}
export interface TopPhonePage {
  success: true;
  data: TopPhone[];
}
/**
 * How many verifications succeeded, by a property of them.
 */
export interface ConversionTable {
  rows: {
    /**
     * The value; `(none)` where there is none or it is no longer known, `(other)` for what comes after the 200 prefixes, 50 templates or 50 purposes that come first on a day (UTC).
     */
    key: string;
    /**
     * Verifications of which a provider acknowledged a message.
     */
    sent: number;
    /**
     * Verifications of which a message arrived.
     */
    delivered: number;
    /**
     * Verifications whose code was entered.
     */
    verified: number;
    /**
     * `verified` of `sent`, 0 to 1, with four decimals; null where none was sent.
     */
    conversion: number | null;
  }[];
}
export interface ConversionTableResponse {
  success: true;
  data: ConversionTable;
}
export interface RebuildFrom {
  /**
   * The `next` of the step before; the first day that can be recounted unless given.
   */
  from?: string;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * What this step did, and how far the work is.
 */
export interface RebuildStep {
  /**
   * Days (UTC) that were recounted.
   */
  rebuilt: string[];
  /**
   * Days that were left as they are: verifications or messages of them are no longer stored.
   */
  left: string[];
  /**
   * Give it as `from` of the next step; null after the last.
   */
  next: string | null;
  /**
   * Days that all steps up to this one have been through.
   */
  done: number;
  /**
   * Days from the first one that can be recounted to today.
   */
  total: number;
}
export interface RebuildStepResponse {
  success: true;
  data: RebuildStep;
}
export interface CreateDemoDataRequest {
  /**
   * How many verifications to create.
   */
  count: number;
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
export interface DemoData {
  verifications: number;
  messages: number;
  events: number;
}
/**
 * How many rows were created.
 */
export interface DemoDataResponse {
  success: true;
  data: DemoData;
}
export interface CreateBackupRequest {
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
  /**
   * Command line only: a folder, or a file that does not exist, by its whole path (default: `backups` in the data folder).
   */
  to?: string;
  /**
   * Command line only: how many backups the folder keeps; older ones that WOTP has named are removed.
   */
  keep?: number;
  /**
   * Command line only: the key of the file and its salt, hex, derived from another master key.
   */
  backupKey?: {
    key: string;
    salt: string;
  };
}
/**
 * The backup that was created.
 */
export interface Backup {
  /**
   * Its path on the server.
   */
  file: string;
  bytes: number;
  /**
   * Hex.
   */
  sha256: string;
  /**
   * Names of older backups that were removed.
   */
  removed: string[];
}
export interface BackupResponse {
  success: true;
  data: Backup;
}
/**
 * What the check of the database found.
 */
export interface DatabaseVerdict {
  /**
   * Problems, one sentence each; empty when there are none.
   */
  findings: string[];
  schemaVersion: number;
  /**
   * How many rows each table holds.
   */
  rows: {
    [k: string]: number;
  };
}
export interface DatabaseVerdictResponse {
  success: true;
  data: DatabaseVerdict;
}
export interface DatabaseJob {
  name: string;
  phase: string;
  percent: number;
}
export interface GetDatabaseJobResponse {
  success: true;
  /**
   * Null when none runs.
   */
  data: DatabaseJob | null;
}
/**
 * The engine and the state of each migration.
 */
export interface DatabaseSchema {
  engine: 'wodb' | 'postgres';
  migrations: {
    number: number;
    name: string;
    /**
     * Null while it is pending.
     */
    appliedAt: string | null;
  }[];
}
export interface DatabaseSchemaResponse {
  success: true;
  data: DatabaseSchema;
}
/**
 * What this step did, and whether it was the last.
 */
export interface CompactionStep {
  /**
   * How much was deleted, by what it was.
   */
  purged: {
    [k: string]: number;
  };
  /**
   * Size on disk before this step; null on PostgreSQL.
   */
  bytesBefore: number | null;
  /**
   * Size on disk after it.
   */
  bytes: number | null;
  /**
   * How much of it is still unused.
   */
  freeBytes: number | null;
  done: boolean;
}
export interface CompactionStepResponse {
  success: true;
  data: CompactionStep;
}
/**
 * The state of the server and its parts.
 */
export interface HealthReport {
  status: 'healthy' | 'degraded' | 'unhealthy';
  /**
   * ISO 8601, UTC
   */
  timestamp: string;
  version: string;
  /**
   * Seconds since the start.
   */
  uptime: number;
  checks: {
    database: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
      engine: 'wodb' | 'postgres';
      waitingWrites: number;
    };
    memory: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      residentBytes: number;
      heapUsed: number;
      heapTotal: number;
    };
    disk: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      freeBytes: number;
    };
    audit?: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
    };
    whatsapp?: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
      connected: boolean;
      mode?: 'mock';
    };
    cloud_api?: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
      successRate: number | null;
      p95Ms: number | null;
    };
    email?: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
      successRate: number | null;
      p95Ms: number | null;
    };
    sms?: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
      successRate: number | null;
      p95Ms: number | null;
    };
    http?: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
      successRate: number | null;
      p95Ms: number | null;
    };
    webhooks?: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
      endpoints: number;
      disabled: number;
    };
    backup?: {
      status: 'healthy' | 'degraded' | 'unhealthy';
      detail?: string;
      lastAt: string | null;
    };
  };
}
/**
 * Whether the probe succeeded.
 */
export interface ProbeResult {
  status: 'healthy' | 'degraded' | 'unhealthy';
}
/**
 * Metrics of the process and of the parts of the server.
 */
export interface ProcessMetrics {
  /**
   * ISO 8601, UTC
   */
  timestamp: string;
  uptime: number;
  memory: {
    [k: string]: number;
  };
  cpu: {
    user: number;
    system: number;
  };
  process: {
    platform: string;
    arch: string;
  };
  /**
   * What each part of the server counts; times are Unix ms.
   */
  figures: {
    [k: string]: number;
  };
}
/**
 * The callback was genuine and has been read.
 */
export interface CallbackReceived {
  success: true;
}
/**
 * A `phone`, an `email` or both; every further field is a variable of the template.
 */
export interface BulkRecipient {
  /**
   * In any usual notation. Digits without + are a number of `DEFAULT_REGION` where they can be one, else 11 to 15 digits with the country code.
   */
  phone?: string;
  /**
   * One plain address. Without `phone` it is what is proved, else one more way to reach the recipient.
   */
  email?: string;
  /**
   * Your own code; WOTP creates one when absent.
   */
  code?: string;
  /**
   * A language tag (BCP 47).
   */
  locale?: string;
  [k: string]: string | number | boolean | undefined;
}
export interface SendBulkRequest {
  /**
   * @minItems 1
   * @maxItems 1000
   */
  recipients: BulkRecipient[];
  /**
   * The text, with a placeholder for each variable. With `{{code}}` each recipient gets a verification of their own; without it the text is a plain message.
   */
  template?: string;
  /**
   * The code of a template, in place of `template`.
   */
  templateCode?: string;
  /**
   * One channel only; `auto` takes the usual route.
   */
  channel?: 'auto' | 'whatsapp' | 'cloud_api' | 'email' | 'sms' | 'http' | 'simulator';
  /**
   * What the code is for; each purpose has its own verification.
   */
  purpose?: string;
  /**
   * Minutes the code lives; 11 to 60 only where OTP_MAX_EXPIRY_MINUTES allows it.
   */
  expiryMinutes?: number;
  /**
   * Any JSON of yours, up to 4 KB; returned by GET. That of a retry is kept with its message and shown in the timeline; the first one stays with the verification.
   */
  metadata?: {
    [k: string]: unknown;
  };
  /**
   * Administrators only: the project to act on (default: the default project).
   */
  projectId?: string;
}
/**
 * What would be accepted. Nothing is stored or sent.
 */
export interface CheckedBulk {
  /**
   * Recipients, without the duplicates.
   */
  total: number;
  /**
   * Rows that named a recipient again. They are sent once.
   */
  duplicates: number;
  /**
   * Recipients to whom nothing may be sent now.
   */
  rejected: number;
  /**
   * The first 100 rows that get no message: duplicates, and those to whom nothing may be sent. `line` is the line in the file, or the place in `recipients`, from 0.
   */
  skipped: {
    line: number;
    reason: string;
  }[];
}
export interface CheckedBulkResponse {
  success: true;
  data: CheckedBulk;
}
/**
 * The job is stored and its messages are being sent.
 */
export interface AcceptedBulk {
  bulkId: string;
  status: 'processing';
  /**
   * Recipients, without the duplicates.
   */
  total: number;
  /**
   * Rows that named a recipient again. They are sent once.
   */
  duplicates: number;
  /**
   * Recipients to whom nothing may be sent now.
   */
  rejected: number;
  /**
   * The first 100 rows that get no message: duplicates, and those to whom nothing may be sent. `line` is the line in the file, or the place in `recipients`, from 0.
   */
  skipped: {
    line: number;
    reason: string;
  }[];
}
export interface AcceptedBulkResponse {
  success: true;
  data: AcceptedBulk;
}
/**
 * The body of a webhook of the type otp.created.
 */
export interface OtpCreatedEvent {
  type: 'otp.created';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The verification.
     */
    id: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'otp.created';
}
/**
 * The body of a webhook of the type otp.verified.
 */
export interface OtpVerifiedEvent {
  type: 'otp.verified';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The verification.
     */
    id: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'otp.verified';
}
/**
 * The body of a webhook of the type otp.failed.
 */
export interface OtpFailedEvent {
  type: 'otp.failed';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The verification.
     */
    id: string;
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'otp.failed';
}
/**
 * The body of a webhook of the type otp.expired.
 */
export interface OtpExpiredEvent {
  type: 'otp.expired';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The verification.
     */
    id: string;
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'otp.expired';
}
/**
 * The body of a webhook of the type otp.canceled.
 */
export interface OtpCanceledEvent {
  type: 'otp.canceled';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The verification.
     */
    id: string;
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'otp.canceled';
}
/**
 * The body of a webhook of the type message.queued.
 */
export interface MessageQueuedEvent {
  type: 'message.queued';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The message.
     */
    messageId: string;
    /**
     * What it was sent for: the verification.
     */
    id: string;
    /**
     * The state that the message entered.
     */
    status: 'queued';
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'message.queued';
}
/**
 * The body of a webhook of the type message.sent.
 */
export interface MessageSentEvent {
  type: 'message.sent';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The message.
     */
    messageId: string;
    /**
     * What it was sent for: the verification.
     */
    id: string;
    /**
     * The state that the message entered.
     */
    status: 'sent';
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'message.sent';
}
/**
 * The body of a webhook of the type message.delivered.
 */
export interface MessageDeliveredEvent {
  type: 'message.delivered';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The message.
     */
    messageId: string;
    /**
     * What it was sent for: the verification.
     */
    id: string;
    /**
     * The state that the message entered.
     */
    status: 'delivered';
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'message.delivered';
}
/**
 * The body of a webhook of the type message.read.
 */
export interface MessageReadEvent {
  type: 'message.read';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The message.
     */
    messageId: string;
    /**
     * What it was sent for: the verification.
     */
    id: string;
    /**
     * The state that the message entered.
     */
    status: 'read';
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'message.read';
}
/**
 * The body of a webhook of the type message.failed.
 */
export interface MessageFailedEvent {
  type: 'message.failed';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The message.
     */
    messageId: string;
    /**
     * What it was sent for: the verification.
     */
    id: string;
    /**
     * The state that the message entered.
     */
    status: 'failed';
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'message.failed';
}
/**
 * The body of a webhook of the type message.expired.
 */
export interface MessageExpiredEvent {
  type: 'message.expired';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The message.
     */
    messageId: string;
    /**
     * What it was sent for: the verification.
     */
    id: string;
    /**
     * The state that the message entered.
     */
    status: 'expired';
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'message.expired';
}
/**
 * The body of a webhook of the type message.canceled.
 */
export interface MessageCanceledEvent {
  type: 'message.canceled';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The message.
     */
    messageId: string;
    /**
     * What it was sent for: the verification.
     */
    id: string;
    /**
     * The state that the message entered.
     */
    status: 'canceled';
    /**
     * Why.
     */
    reason?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'message.canceled';
}
/**
 * The body of a webhook of the type message.received.
 */
export interface MessageReceivedEvent {
  type: 'message.received';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The linked number.
     */
    sessionId?: string;
    /**
     * Who wrote, in E.164.
     */
    from: string;
    /**
     * The text. Words that look like a code are hidden.
     */
    text: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'message.received';
}
/**
 * The body of a webhook of the type schedule.created.
 */
export interface ScheduleCreatedEvent {
  type: 'schedule.created';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The schedule.
     */
    id: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'schedule.created';
}
/**
 * The body of a webhook of the type schedule.fired.
 */
export interface ScheduleFiredEvent {
  type: 'schedule.fired';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The schedule.
     */
    id: string;
    /**
     * The verification.
     */
    verificationId: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'schedule.fired';
}
/**
 * The body of a webhook of the type schedule.canceled.
 */
export interface ScheduleCanceledEvent {
  type: 'schedule.canceled';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The schedule.
     */
    id: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'schedule.canceled';
}
/**
 * The body of a webhook of the type schedule.expired.
 */
export interface ScheduleExpiredEvent {
  type: 'schedule.expired';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The schedule.
     */
    id: string;
    /**
     * Why.
     */
    reason: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'schedule.expired';
}
/**
 * The body of a webhook of the type schedule.failed.
 */
export interface ScheduleFailedEvent {
  type: 'schedule.failed';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The schedule.
     */
    id: string;
    /**
     * Why.
     */
    reason: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'schedule.failed';
}
/**
 * The body of a webhook of the type bot.connected.
 */
export interface BotConnectedEvent {
  type: 'bot.connected';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The linked number.
     */
    sessionId: string;
    /**
     * The state that it entered.
     */
    state: string;
    /**
     * Why; null where there is no reason.
     */
    reason: string | null;
    /**
     * When it connects again; null where it does not.
     */
    nextAttemptAt: string | null;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'bot.connected';
}
/**
 * The body of a webhook of the type bot.disconnected.
 */
export interface BotDisconnectedEvent {
  type: 'bot.disconnected';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The linked number.
     */
    sessionId: string;
    /**
     * The state that it entered.
     */
    state: string;
    /**
     * Why; null where there is no reason.
     */
    reason: string | null;
    /**
     * When it connects again; null where it does not.
     */
    nextAttemptAt: string | null;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'bot.disconnected';
}
/**
 * The body of a webhook of the type bot.logged_out.
 */
export interface BotLoggedOutEvent {
  type: 'bot.logged_out';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The linked number.
     */
    sessionId: string;
    /**
     * The state that it entered.
     */
    state: string;
    /**
     * Why; null where there is no reason.
     */
    reason: string | null;
    /**
     * When it connects again; null where it does not.
     */
    nextAttemptAt: string | null;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'bot.logged_out';
}
/**
 * The body of a webhook of the type bot.qr.
 */
export interface BotQrEvent {
  type: 'bot.qr';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The linked number.
     */
    sessionId: string;
    /**
     * The state that it entered.
     */
    state: string;
    /**
     * Why; null where there is no reason.
     */
    reason: string | null;
    /**
     * When it connects again; null where it does not.
     */
    nextAttemptAt: string | null;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'bot.qr';
}
/**
 * The body of a webhook of the type bot.state_changed.
 */
export interface BotStateChangedEvent {
  type: 'bot.state_changed';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The linked number.
     */
    sessionId: string;
    /**
     * The state that it entered.
     */
    state: string;
    /**
     * Why; null where there is no reason.
     */
    reason: string | null;
    /**
     * When it connects again; null where it does not.
     */
    nextAttemptAt: string | null;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'bot.state_changed';
}
/**
 * The body of a webhook of the type bot.phone_unseen.
 */
export interface BotPhoneUnseenEvent {
  type: 'bot.phone_unseen';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The linked number.
     */
    sessionId: string;
    /**
     * What was seen.
     */
    reason: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'bot.phone_unseen';
}
/**
 * The body of a webhook of the type number.opted_out.
 */
export interface NumberOptedOutEvent {
  type: 'number.opted_out';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The number, in E.164.
     */
    from: string;
    /**
     * The linked number.
     */
    sessionId?: string;
    /**
     * Who did it: the id of an API key, or `admin`.
     */
    actor?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'number.opted_out';
}
/**
 * The body of a webhook of the type number.opted_in.
 */
export interface NumberOptedInEvent {
  type: 'number.opted_in';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The number, in E.164.
     */
    from: string;
    /**
     * The linked number.
     */
    sessionId?: string;
    /**
     * Who did it: the id of an API key, or `admin`.
     */
    actor?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'number.opted_in';
}
/**
 * The body of a webhook of the type bulk.completed.
 */
export interface BulkCompletedEvent {
  type: 'bulk.completed';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The bulk job.
     */
    bulkId: string;
    /**
     * Recipients, without duplicates.
     */
    total: number;
    /**
     * Messages that were sent.
     */
    successful: number;
    /**
     * Messages that could not be sent.
     */
    failed: number;
    /**
     * Recipients that may not be sent to.
     */
    rejected: number;
    /**
     * Recipients that were left out when the job was canceled.
     */
    canceled: number;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'bulk.completed';
}
/**
 * The body of a webhook of the type bulk.canceled.
 */
export interface BulkCanceledEvent {
  type: 'bulk.canceled';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The bulk job.
     */
    bulkId: string;
    /**
     * Recipients, without duplicates.
     */
    total: number;
    /**
     * Messages that were sent.
     */
    successful: number;
    /**
     * Messages that could not be sent.
     */
    failed: number;
    /**
     * Recipients that may not be sent to.
     */
    rejected: number;
    /**
     * Recipients that were left out when the job was canceled.
     */
    canceled: number;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'bulk.canceled';
}
/**
 * The body of a webhook of the type key.created.
 */
export interface KeyCreatedEvent {
  type: 'key.created';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The API key.
     */
    keyId: string;
    /**
     * Who did it: the id of an API key, or `admin`.
     */
    actor: string;
    /**
     * The key with which it was revoked, as that one had created it.
     */
    with?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'key.created';
}
/**
 * The body of a webhook of the type key.revoked.
 */
export interface KeyRevokedEvent {
  type: 'key.revoked';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The API key.
     */
    keyId: string;
    /**
     * Who did it: the id of an API key, or `admin`.
     */
    actor: string;
    /**
     * The key with which it was revoked, as that one had created it.
     */
    with?: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'key.revoked';
}
/**
 * The body of a webhook of the type webhook.disabled.
 */
export interface WebhookDisabledEvent {
  type: 'webhook.disabled';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * The endpoint.
     */
    webhookId: string;
    /**
     * `gone`: it answered 410; `failing`: every attempt of five days failed.
     */
    reason: 'gone' | 'failing';
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'webhook.disabled';
}
/**
 * The body of a webhook of the type settings.changed.
 */
export interface SettingsChangedEvent {
  type: 'settings.changed';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * Each setting by its name, as the environment would have its value; null is unset.
     */
    changes: {
      key: string;
      from: string | null;
      to: string | null;
    }[];
    /**
     * Who did it: the id of an API key, or `admin`.
     */
    actor: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'settings.changed';
}
/**
 * The body of a webhook of the type project.quota_reached.
 */
export interface ProjectQuotaReachedEvent {
  type: 'project.quota_reached';
  /**
   * When it happened.
   */
  timestamp: string;
  data: {
    /**
     * How much is used.
     */
    percent: 80 | 100;
    /**
     * Messages that the project may send in the month.
     */
    quota: number;
    /**
     * Messages counted when this was noticed.
     */
    used: number;
    /**
     * The calendar month, UTC.
     */
    month: string;
    [k: string]: unknown;
  };
  /**
   * The type again, as v3 named it.
   */
  event: 'project.quota_reached';
}
