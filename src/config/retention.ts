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
  eventDays: integer({
    name: 'RETENTION_DAYS_EVENTS',
    min: 0,
    max: 36_500,
    fallback: 90,
    help: 'Days after which events are deleted; 0 keeps them for ever.',
  }),
};
