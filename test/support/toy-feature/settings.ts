import { integer, type Values } from '../../../src/config/variable.ts';

/** Toys, and how long they are kept. */
export const toyVariables = {
  windSeconds: integer({
    name: 'TOY_WIND_SECONDS',
    min: 1,
    max: 3_600,
    fallback: 60,
    help: 'Seconds between two windings of the toys.',
  }),
  days: integer({
    name: 'TOY_DAYS',
    min: 0,
    max: 365,
    fallback: 7,
    help: 'Days after which a toy is deleted; 0 keeps them for ever.',
  }),
};

export type ToySettings = Values<typeof toyVariables>;
