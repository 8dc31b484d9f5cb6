import { integer } from './variable.ts';

/** Sends at a later time. */
export const schedulerVariables = {
  misfireMinutes: integer({
    name: 'SCHEDULER_MISFIRE_MINUTES',
    min: 1,
    max: 1440,
    fallback: 10,
    help: 'How many minutes after its time a scheduled code may still be sent, if the server was down or an attempt was refused.',
  }),
};
