import { integer } from './variable.ts';

/** How long data is kept. */
export const retentionVariables = {
  verificationDays: integer({
    name: 'RETENTION_DAYS_VERIFICATIONS',
    min: 0,
    max: 36_500,
    fallback: 30,
    help: 'Days after which ended verifications and their messages are deleted; never before 25 hours, which limits are counted from; 0 keeps them for ever.',
  }),
  contactDays: integer({
    name: 'RETENTION_DAYS_CONTACTS',
    min: 0,
    max: 36_500,
    fallback: 180,
    help: 'Days after which what is kept to write to somebody over WhatsApp (that they are there, who wrote to them, the encryption session) is deleted when nobody has written to them; never before 30; 0 keeps it for ever.',
  }),
  eventDays: integer({
    name: 'RETENTION_DAYS_EVENTS',
    min: 0,
    max: 36_500,
    fallback: 90,
    help: 'Days after which events are deleted; 0 keeps them for ever.',
  }),
  analyticsDays: integer({
    name: 'RETENTION_DAYS_ANALYTICS',
    min: 0,
    max: 36_500,
    fallback: 400,
    help: 'Days after which the counts of analytics are deleted; 0 keeps them for ever. They hold no phone number: those of the top phones are deleted with the verifications.',
  }),
  auditDays: integer({
    name: 'RETENTION_DAYS_AUDIT',
    min: 0,
    max: 36_500,
    fallback: 365,
    help: 'Days after which lines of the audit log are deleted; the rest of its chain can still be verified. 0 keeps them for ever.',
  }),
  webhookDays: integer({
    name: 'RETENTION_DAYS_WEBHOOKS',
    min: 0,
    max: 36_500,
    fallback: 30,
    help: 'Days after which finished webhook deliveries are deleted; 0 keeps them for ever.',
  }),
};
