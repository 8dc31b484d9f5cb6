import { expect, test } from 'vitest';
import { readOptOut } from './words.ts';

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
  'ＳＴＯＰ',
  'ｓｔｏｐ！',
  'stop\u200b',
  '\u202bSTOP\u202c',
  'opt-out',
  'Opt out',
  'optout',
  'STOPALL',
  'stop \u00a0all',
  'ﺇﻳﻘﺎﻑ',
  '退订。',
])('%s opts out', (text) => {
  expect(readOptOut(text)?.wish).toBe('stop');
});

test.each([
  ['stop', 'START'],
  ['berhenti', 'MULAI'],
  ['baja', 'INICIAR'],
  ['parar', 'INICIAR'],
  ['arrêt', 'DÉMARRER'],
  ['abmelden', 'START'],
  ['basta', 'START'],
  ['afmelden', 'START'],
  ['dur', 'START'],
  ['стоп', 'СТАРТ'],
  ['إيقاف', 'START'],
  ['बंद', 'START'],
  ['退订', '“开始”'],
  ['配信停止', 'START'],
  ['수신거부', 'START'],
])('who writes %s is told how to start again: by %s, which does', (text, start) => {
  const optOut = readOptOut(text)!;
  expect(optOut).toEqual({ wish: 'stop', answer: expect.stringContaining(start) });
  expect(readOptOut(start)).toEqual({ wish: 'start' });
});

test.each(['cancel', 'Cancel.', 'end', 'ende', 'Ende!', 'batal', 'BATAL', 'cancelar', 'annulla', 'iptal'])(
  '%s alone is how people break off, and opts nobody out',
  (text) => {
    expect(readOptOut(text)).toBeUndefined();
  },
);

test.each(['START', 'mulai', 'Unstop.'])('%s opts in again', (text) => {
  expect(readOptOut(text)).toEqual({ wish: 'start' });
});

test.each(['', 'please stop the car', 'stopping', 'my code is 123456', 'non-stop', 'stop '.repeat(20)])(
  'an opt-out word within another text is none: %s',
  (text) => {
    expect(readOptOut(text)).toBeUndefined();
  },
);
