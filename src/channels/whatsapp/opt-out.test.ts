import { expect, test } from 'vitest';
import { readOptOut } from './opt-out.ts';

test.each([
  'STOP',
  'stop',
  ' Stop. ',
  '"stop"',
  'Berhenti!',
  'baja',
  'ARRÊT',
  'Abmelden',
  'стоп',
  '退订',
  'إيقاف',
  'बंद',
])('%s opts out', (text) => {
  expect(readOptOut(text)).toBe('stop');
});

test.each(['START', 'mulai', 'Unstop.'])('%s opts in again', (text) => {
  expect(readOptOut(text)).toBe('start');
});

test.each(['', 'please stop the car', 'stopping', 'my code is 123456', 'non-stop', 'stop '.repeat(20)])(
  'an opt-out word within another text is none: %s',
  (text) => {
    expect(readOptOut(text)).toBeUndefined();
  },
);
