import type { V3LogEvent, WotpEvent } from './types.ts';

/** What the product says about a type of event. */
export interface EventKind {
  /** Whether webhooks and the live stream carry it: a promise to integrators, so its fields stay. */
  readonly webhook: boolean;
  /**
   * Whether it is always an administrative act, which belongs in the audit log. An event of another type belongs there as
   * well where it names who did it (`by`).
   */
  readonly audited: boolean;
  /** Whether it belongs to one project, or to the installation: then only administrators see it. */
  readonly scope: 'project' | 'installation';
  /** When it is recorded, as the documentation says it. */
  readonly meaning: string;
}

const promised = (meaning: string): EventKind => ({
  webhook: true,
  audited: false,
  scope: 'project',
  meaning,
});
const act = (meaning: string, more: Partial<EventKind> = {}): EventKind => ({
  webhook: false,
  audited: true,
  scope: 'project',
  meaning,
  ...more,
});
const ofInstallation = { scope: 'installation' } as const;

/** Every type of event there is. Documentation, webhook filters and the audit log are made from it. */
export const EVENTS = {
  'otp.created': promised('A verification was created and its first message accepted.'),
  'otp.verified': promised('The right code was entered.'),
  'otp.failed': promised('The last attempt was wrong, or no channel could deliver the code.'),
  'otp.expired': promised('The code expired before it was entered.'),
  'otp.canceled': promised(
    'The verification was canceled, a new code replaced it, or the database was restored.',
  ),

  'message.queued': promised('A message was accepted, or is queued again.'),
  'message.sent': promised('The provider acknowledged the message.'),
  'message.delivered': promised('The recipient’s device received the message.'),
  'message.read': promised('The recipient opened the message.'),
  'message.failed': promised('The message cannot be delivered.'),
  'message.expired': promised('The code expired before the message was sent.'),
  'message.canceled': promised('The verification ended before the message was sent.'),
  'message.received': promised('A recipient wrote to a linked number.'),

  'schedule.created': promised('A send was scheduled.'),
  'schedule.fired': promised('A scheduled code was sent.'),
  'schedule.canceled': promised('A schedule was canceled before its time.'),
  'schedule.expired': promised('A schedule was missed: no server was running at its time.'),
  'schedule.failed': promised('A scheduled code could not be sent.'),

  'bot.connected': promised('A linked number connected to WhatsApp.'),
  'bot.disconnected': promised('A linked number lost its connection.'),
  'bot.logged_out': promised('WhatsApp or the operator unlinked a number.'),
  'bot.qr': promised('A QR code is waiting to be scanned.'),
  'bot.state_changed': promised('A linked number entered another state.'),
  'bot.phone_unseen': promised('The phone of a linked number has not been online for days.'),
  'bot.operated': act('An operator changed a linked number.'),
  'bot.command': act('An administrator’s number sent a chat command.'),

  'number.opted_out': promised('A recipient asked for no more messages.'),
  'number.opted_in': promised('A recipient allows messages again.'),

  'bulk.completed': promised('Every recipient of a bulk job was handled.'),
  'bulk.canceled': promised('A bulk job was canceled, and its last message in flight has ended.'),

  'bulk.operated': act('A bulk job was started, paused, resumed or canceled, or its results were exported.'),
  'logs.exported': act('The log was exported.'),

  'key.created': act('An API key was created.', { webhook: true }),
  'key.imported': act('A v3 token was imported.'),
  'key.revoked': act('An API key was revoked.', { webhook: true }),
  'key.refused': act('An API key was refused for lack of a permission.'),
  'webhook.disabled': promised(
    'A webhook endpoint was disabled after it had failed for days or answered 410.',
  ),
  'webhook.operated': act(
    'A webhook endpoint was created, changed, tested or deleted, or deliveries of it were sent again.',
  ),
  'limits.cleared': act('An administrator lifted the limits of a number.'),

  'test_number.added': act('A test number was added: it gets a fixed code and no message.'),
  'test_number.removed': act('A test number was removed.'),

  'template.created': act('A template was created.'),
  'template.changed': act('A template was changed, or an earlier version restored.'),
  'template.deleted': act('A template was deleted.'),

  'settings.changed': act('An administrator changed settings of a project, or of the installation.', {
    webhook: true,
  }),
  'project.created': act('A project was created.', ofInstallation),
  'project.renamed': act('A project was renamed.', ofInstallation),
  'project.deleted': act('A project was deleted; its keys ended with it.', ofInstallation),
  'project.erased': act('All data of a deleted project were erased.', ofInstallation),
  'project.quota_reached': promised(
    'A project has used 80 or 100 percent of its MONTHLY_QUOTA; once each in a month.',
  ),

  'channel.stopped': act(
    'A channel stopped sending: it needs the operator, or failed again and again.',
    ofInstallation,
  ),
  'channel.recovered': act('A channel that had stopped sent a message again.', ofInstallation),

  'admin.signed_in': act('An administrator signed in.', ofInstallation),
  'admin.sign_in_failed': act('A sign-in was refused.', ofInstallation),
  'admin.signed_out': act('An administrator signed out.', ofInstallation),
  'master_key.rotated': act('The master key was replaced.', ofInstallation),
  'backup.created': act('A backup was created.', ofInstallation),
  'backup.failed': act('A backup failed.', ofInstallation),
  'database.restored': act('A backup was restored.', ofInstallation),
  'database.compacted': act('Expired data was deleted and disk space freed.', ofInstallation),
  'analytics.rebuilt': act('The counts of analytics were made again from the events.', ofInstallation),
  'database.seeded': act('Demo data was created.'),

  'v3.otp_sent': { webhook: false, audited: false, scope: 'project', meaning: 'v3 sent a code (imported).' },
  'v3.logged': {
    webhook: false,
    audited: false,
    scope: 'project',
    meaning: 'v3 wrote a log line (imported).',
  },
} as const satisfies Record<WotpEvent['type'] | V3LogEvent['type'], EventKind>;
