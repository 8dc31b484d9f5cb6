import { integer } from './variable.ts';

/** The virtual phone that stands in for WhatsApp in mock mode. */
export const simulatorVariables = {
  deliveredMs: integer({
    name: 'SIMULATOR_DELIVERED_MS',
    min: 0,
    max: 600_000,
    fallback: 300,
    help: 'Milliseconds from sending until the virtual phone reports a message as delivered.',
  }),
  readMs: integer({
    name: 'SIMULATOR_READ_MS',
    min: 0,
    max: 600_000,
    fallback: 1000,
    help: 'Milliseconds from sending until the virtual phone reports a message as read.',
  }),
};
