import { expect, it } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';

const patternOf = (given: string) => loadConfig({ BACKUP_CRON: given }).backups.cron;

it.each(['0 3 * * *', '*/15 8-18 * * MON-FRI', ' 30 4 1 */2 * ', '@daily'])('%j is a schedule', (given) => {
  expect(patternOf(given)).toBe(given.trim());
});

it.each([
  'nightly',
  '0 3 * *',
  '0 0 3 * * *',
  '61 * * * *',
  '* 24 * * *',
  '0 0 30 2 *',
  '@someday',
  '0 3 * * * && rm',
])('%j is none, and stops the start with what is allowed', (given) => {
  expect(() => patternOf(given)).toThrow(ConfigError);
  expect(() => patternOf(given)).toThrow(/BACKUP_CRON.*five cron fields/);
});

it('nothing, or an empty text, means no backups by themselves', () => {
  expect(loadConfig({}).backups.cron).toBeUndefined();
  expect(patternOf('')).toBeUndefined();
});
