import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { type TestClock, testClock } from '../../test/support/test-clock.ts';
import { DatabaseError, StoppingError } from '../errors/errors.ts';
import { type Troubles, troubleLog } from './troubles.ts';

let clock: TestClock;
let lines: Record<string, unknown>[];
let troubles: Troubles;

beforeEach(() => {
  clock = testClock();
  lines = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  troubles = troubleLog({ log, clock });
});

const messages = () => lines.map(({ msg }) => msg);
const diskFull = () =>
  new DatabaseError(
    'The disk is full; nothing was changed.',
    Object.assign(new Error(), { code: 'SQLITE_FULL' }),
  );

describe('a trouble', () => {
  test('is logged once when it begins, at most once a minute while it lasts with a count, and once when it ends', async () => {
    for (let run = 0; run < 1_500; run++) {
      troubles.failed('counting sheep', new Error('lost count'));
      await clock.advance(100);
    }
    await clock.advance(3_000);
    for (let run = 0; run < 10; run++) troubles.succeeded('counting sheep');
    expect(messages()).toEqual([
      'counting sheep failed',
      'counting sheep still fails',
      'counting sheep still fails',
      'counting sheep works again',
    ]);
    expect(lines[0]).toMatchObject({ level: 50, err: { message: 'lost count' } });
    expect(lines[1]).toMatchObject({ level: 50, failures: 601, seconds: 60 });
    expect(lines[3]).toMatchObject({ level: 30, failures: 1_500, seconds: 153 });
  });

  test('of one cause outside the program is one, however many works it lets fail', () => {
    for (let run = 0; run < 10; run++) {
      troubles.failed('counting sheep', diskFull());
      troubles.failed('POST /api/v1/otp/send', diskFull());
    }
    expect(messages()).toEqual(['counting sheep failed']);
  });

  test('of other causes is another', () => {
    troubles.failed('counting sheep', diskFull());
    troubles.failed('counting sheep', new Error('lost count'));
    troubles.failed('counting goats', new Error('lost count'));
    expect(messages()).toHaveLength(3);
  });

  test('does not end by a success between failures, nor by that of other work', async () => {
    for (let run = 0; run < 100; run++) {
      troubles.failed('counting sheep', diskFull());
      await clock.advance(1_000);
      troubles.succeeded('counting sheep');
      troubles.succeeded('counting goats');
    }
    expect(messages()).toEqual(['counting sheep failed', 'counting sheep still fails']);
  });

  test('that comes and goes is not logged more often', async () => {
    for (let run = 0; run < 30; run++) {
      troubles.failed('counting sheep', new Error('lost count'));
      await clock.advance(4_000);
      troubles.succeeded('counting sheep');
    }
    expect(lines.length).toBeLessThanOrEqual(6);
    await clock.advance(60_000);
    troubles.failed('counting sheep', new Error('lost count'));
    expect(messages().at(-1)).toBe('counting sheep failed');
  });

  test('is none while the server stops', () => {
    troubles.failed('counting sheep', new StoppingError());
    expect(lines).toEqual([]);
  });

  test('may be a warning, with words and fields of its own', () => {
    troubles.failed('sends', new Error('nobody is linked'), {
      message: 'no number is linked',
      level: 'warn',
      fields: { requestId: 'r-1' },
    });
    expect(lines).toMatchObject([{ level: 40, msg: 'no number is linked', requestId: 'r-1' }]);
  });
});
