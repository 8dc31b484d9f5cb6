import { expect, test } from 'vitest';
import { type Answer, answerTo, isBadForGood, readClose } from './close-reason.ts';

const declared = (code: number) => answerTo({ code, isDeclared: true });

test.for<[number, Partial<Answer>]>([
  [515, { next: 'now' }],
  [408, { next: 'backoff' }],
  [428, { next: 'backoff' }],
  [500, { next: 'backoff' }],
  [503, { next: 'backoff' }],
  [405, { next: 'later', state: 'reconnecting', delayMs: 30 * 60_000 }],
  [401, { next: 'stop', state: 'logged_out', forgetsCredentials: true }],
  [406, { next: 'stop', state: 'logged_out', forgetsCredentials: true }],
  [402, { next: 'stop', state: 'banned', forgetsCredentials: false }],
  [403, { next: 'stop', state: 'banned', forgetsCredentials: false }],
  [411, { next: 'stop', state: 'action_required', forgetsCredentials: false }],
  [440, { next: 'stop', state: 'action_required', forgetsCredentials: false }],
])('when WhatsApp closes with %i, the answer is %o, and a sentence says why', ([code, answer]) => {
  const given = declared(code);
  expect(given).toMatchObject(answer);
  expect(given.reason).toMatch(/^\p{Lu}.{15,}\.$/u);
});

test('a code that nobody knows is tried again, and named', () => {
  expect(declared(599)).toEqual({ next: 'backoff', reason: 'WhatsApp closed the connection (599).' });
});

test('a ban with an end is waited for', () => {
  const close = readClose({
    message: 'Connection Failure',
    output: { statusCode: 402 },
    data: { expire: '3600' },
  });
  expect(answerTo(close)).toMatchObject({ next: 'later', state: 'banned', delayMs: 3_600_000 });
});

test('only WhatsApp itself ends a session: the same number from a proxy or a broken line is tried again', () => {
  for (const code of [undefined, 401, 403, 405, 411, 440, 500]) {
    expect(answerTo({ code, isDeclared: false })).toMatchObject({ next: 'backoff' });
  }
});

test.for([
  ['Stream Errored (conflict)', 440, true],
  ['Connection Failure', 403, true],
  ['Multi-device beta not joined', 411, true],
  ['Connection Terminated by Server', 428, true],
  ['Connection Terminated', 428, false],
  ['WebSocket Error (Unexpected server response: 403)', 403, false],
  ['Connection was lost', 408, false],
] as const)('%s (%i): said by WhatsApp %o', ([message, statusCode, isDeclared]) => {
  expect(readClose({ message, output: { statusCode } })).toEqual({ code: statusCode, isDeclared });
});

test('a close may come with a bare number, with any error, or with nothing', () => {
  expect(readClose(1006)).toEqual({ code: 1006, isDeclared: false });
  expect(readClose(new Error('whatever'))).toEqual({ code: undefined, isDeclared: false });
  expect(readClose(undefined)).toEqual({ code: undefined, isDeclared: false });
  expect(readClose({ message: 'QR refs attempts ended', output: { statusCode: 408 } })).toEqual({
    code: 408,
    isDeclared: false,
    isLinkingOver: true,
  });
});

test('a session is bad for good at the third bad close within ten minutes', () => {
  const minutes = (...times: number[]) => isBadForGood(times.map((minute) => minute * 60_000));
  expect([minutes(), minutes(0), minutes(0, 1), minutes(0, 6, 12), minutes(0, 60, 61)]).toEqual(
    Array(5).fill(false),
  );
  expect([minutes(0, 5, 10), minutes(0, 60, 61, 62)]).toEqual([true, true]);
});

test.each(['ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH'])(
  'without internet (%s) it says so, and tries again',
  (code) => {
    const error = { message: `WebSocket Error (${code})`, data: { code }, output: { statusCode: 408 } };
    expect(answerTo(readClose(error))).toEqual({
      next: 'backoff',
      reason: expect.stringContaining('no internet connection'),
    });
  },
);
