import { pino } from 'pino';
import type { Troubles } from '../../src/background/troubles.ts';

/** A log that nobody reads. */
export const silentLog = pino({ level: 'silent' });

/** Tells nobody of troubles. */
export const silentTroubles: Troubles = { failed() {}, succeeded() {}, isAny: false };
