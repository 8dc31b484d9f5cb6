import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { actorNamed } from '../../test/support/actors.ts';
import { ScriptedChannel } from '../../test/support/scripted-channel.ts';
import { testSettings } from '../../test/support/settings.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { mockRouting, scriptedRouting } from '../../test/support/test-routing.ts';
import { WotpError } from '../errors/errors.ts';
import { newId } from '../lib/id.ts';
import type { VerificationRow } from './repository.ts';
import { otpService } from './service.ts';
import { ENDINGS, statusAt } from './state-machine.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const PROJECT = 1;
/** Two spellings of one line, and another line. */
const PHONES = ['+5511987654321', '+551187654321', '+6281234500001'];
const CODES = ['481516', '234200', '4815'];
const LOGIN = { projectId: PROJECT, phone: PHONES[0]!, purpose: 'login', channel: 'auto' } as const;
const LIMITS = { gapMs: 30_000, per10Minutes: 5, perDay: 10 };

let outbox: TestOutbox;
let otp: ReturnType<typeof otpService>;

function serviceOver(database = outbox.database, routing = mockRouting()) {
  return otpService({
    ...outbox,
    database,
    settings: testSettings({ code: { length: 6, expiryMinutes: 5, maxExpiryMinutes: 60, maxAttempts: 5 } }),
    routing,
    isOptedOut: async () => false,
    testCodeFor: () => undefined,
  });
}

beforeAll(async () => {
  outbox = await openTestOutbox();
  otp = serviceOver();
  outbox.messages.ownedBy('ver', otp.owner);
});
afterAll(() => outbox.close());

async function clear(): Promise<void> {
  await outbox.clear();
  await outbox.database.transaction(async (trx) => {
    await trx.deleteFrom('verifications').execute();
  });
}
beforeEach(clear);

const verifications = () =>
  outbox.database.reader.selectFrom('verifications').selectAll().orderBy('id').execute();
const sendsOf = (row: { sends: string }) => JSON.parse(row.sends) as [at: number, id: string][];

/** Something that callers, people, time and channels do. */
type Step =
  | { do: 'send'; waitMs: number; phone: number; purpose: number; code?: number; expiryMinutes?: number }
  | { do: 'guess'; nth: number; times: number; right: boolean; clientIp?: string }
  | { do: 'resend' | 'cancel' | 'deliver' | 'undeliverable'; nth: number }
  | { do: 'wait'; ms: number }
  | { do: 'sweep' }
  | { do: 'lift'; phone: number };

const nth = fc.nat({ max: 1 });
const phone = fc.constantFrom(0, 0, 0, 1, 1, 2);
const send = fc.record({
  do: fc.constant('send'),
  waitMs: fc.constantFrom(0, 1_000, 29_999, 30_000, 30_000, 60_000, 120_000, 10 * MINUTE_MS),
  phone,
  purpose: fc.nat({ max: 1 }),
  code: fc.option(fc.nat({ max: CODES.length - 1 }), { nil: undefined }),
  expiryMinutes: fc.constantFrom(undefined, 1, 10, 60),
});
const guess = fc.record({
  do: fc.constant('guess'),
  nth,
  times: fc.integer({ min: 1, max: 7 }),
  right: fc.constantFrom(...Array<boolean>(14).fill(false), true),
  clientIp: fc.constantFrom(undefined, undefined, undefined, '203.0.113.7'),
});
const delivery = fc.record({
  do: fc.constantFrom('resend', 'resend', 'resend', 'deliver', 'cancel', 'undeliverable'),
  nth,
});
const time = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(30_000, 5 * MINUTE_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constant(DAY_MS) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('sweep') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lift'), phone }) },
);
/** Some days are all sending, some all guessing: only so are the limits met. */
const steps = fc
  .constantFrom([12, 0, 3, 0], [10, 10, 1, 0], [10, 10, 5, 3])
  .chain(([sends, guesses, deliveries, times]) => {
    const step = fc.oneof(
      { weight: sends!, arbitrary: send },
      { weight: guesses!, arbitrary: guess },
      { weight: deliveries!, arbitrary: delivery },
      { weight: times!, arbitrary: time },
    );
    return fc.array(step as fc.Arbitrary<Step>, { minLength: 20, maxLength: 90, size: 'max' });
  });

interface Life {
  /** The code of each verification. */
  codes: Map<string, string>;
  /** The states each verification was seen in. */
  states: Map<string, string[]>;
  verified: string[];
  /** Wrong guesses that were counted: of which line and verification, and when. */
  failures: { line: string; id: string; at: number }[];
  /** When the guesses and messages of a line began to count anew. */
  cleared: { line: string; at: number; what: 'guesses' | 'all' }[];
}

/** Lets it all happen, one after the other. */
async function live(happening: readonly Step[]): Promise<Life> {
  const { database, clock, messages } = outbox;
  await clear();
  const life: Life = { codes: new Map(), states: new Map(), verified: [], failures: [], cleared: [] };

  async function guessOnce({ id, destination: line }: VerificationRow, right: boolean, clientIp?: string) {
    const row = (await verifications()).find((candidate) => candidate.id === id)!;
    // Away from the moment of the latest wrong guess, so that before and after are told apart.
    if (right) clock.set(clock.now() + 1);
    const canVerify = statusAt(row, clock.now()) === 'pending';
    const code = right ? life.codes.get(id)! : '999999';
    const result = await otp
      .verify({ projectId: PROJECT, id, code, clientIp })
      .then(() => 'verified')
      .catch((error: unknown) => {
        if (error instanceof WotpError) return error.code;
        throw error;
      });
    if (result === 'verified') {
      expect({ right, canVerify }).toEqual({ right: true, canVerify: true });
      life.verified.push(id);
      life.cleared.push({ line, at: clock.now(), what: 'guesses' });
    }
    if (result === 'OTP_INCORRECT') {
      expect(right).toBe(false);
      life.failures.push({ line, id, at: clock.now() });
    }
  }

  async function act(what: Step): Promise<void> {
    if (what.do === 'wait') return clock.set(clock.now() + what.ms);
    if (what.do === 'sweep') return void (await otp.expireDue(100));
    if (what.do === 'lift') {
      // Away from the moment of the latest message, so that before and after are told apart.
      clock.set(clock.now() + 1);
      const e164 = await database.transaction((trx) =>
        otp.limits.lift(trx, PROJECT, PHONES[what.phone]!, actorNamed('admin')),
      );
      const line = e164.startsWith('+55') ? '5511987654321' : e164.slice(1);
      life.cleared.push({ line, at: clock.now(), what: 'all' });
      return;
    }
    if (what.do === 'send') {
      clock.set(clock.now() + what.waitMs);
      const { verification } = await database.transaction((trx) =>
        otp.send(trx, {
          projectId: PROJECT,
          phone: PHONES[what.phone]!,
          purpose: ['login', 'payment'][what.purpose]!,
          channel: 'auto',
          code: what.code === undefined ? undefined : CODES[what.code]!,
          expiryMinutes: what.expiryMinutes,
        }),
      );
      const code = (await messages.liveCode(verification.messageId))!;
      const known = life.codes.get(verification.id);
      if (known) expect(code).toBe(known);
      life.codes.set(verification.id, code);
      return;
    }
    const row = (await verifications()).at(-1 - what.nth);
    if (!row) return;
    const { id } = row;
    switch (what.do) {
      case 'guess':
        for (let time = 0; time < what.times; time++) await guessOnce(row, what.right, what.clientIp);
        return;
      case 'resend':
        await database.transaction((trx) => otp.resend(trx, PROJECT, id));
        return;
      case 'cancel':
        await database.transaction((trx) => otp.cancel(trx, PROJECT, id));
        return;
      case 'deliver':
      case 'undeliverable':
        for (const claim of await messages.claimDue('simulator', 10)) {
          if (what.do === 'deliver') await messages.markSent(claim);
          else await messages.markTryFailed(claim, 'permanent', 'gone');
        }
    }
  }

  for (const what of happening) {
    await act(what).catch((error: unknown) => {
      if (!(error instanceof WotpError) || error.status >= 500) throw error;
    });
    for (const row of await verifications()) {
      const seen = life.states.get(row.id) ?? [];
      const status = statusAt(row, clock.now());
      if (seen.at(-1) !== status) life.states.set(row.id, [...seen, status]);
    }
  }
  return life;
}

/** At most `limit` of these times, of those that lie in one stretch between `cuts`, fall into any window. */
function expectWithin(
  times: readonly number[],
  cuts: readonly number[],
  limit: number,
  windowMs: number,
): void {
  const stretch = (at: number) => cuts.filter((cut) => cut <= at).length;
  for (const end of times) {
    const window = times.filter((at) => at <= end && at > end - windowMs && stretch(at) === stretch(end));
    expect(window.length).toBeLessThanOrEqual(limit);
  }
}

/** What must hold after any life, each by its own name. */
const RULES: Record<string, (life: Life, rows: VerificationRow[]) => void | Promise<void>> = {
  'a verification ends once, and never leaves the state it has ended in'({ states, verified }) {
    for (const [id, seen] of states) {
      expect(seen.length, id).toBeLessThanOrEqual(2);
      if (seen.length === 2) expect(seen[0], id).toBe('pending');
    }
    expect(verified).toEqual([...new Set(verified)]);
  },

  'a line is sent no more than its limits allow, and a verification five messages'({ cleared }, rows) {
    for (const line of new Set(rows.map((row) => row.destination))) {
      const own = rows.filter((row) => row.destination === line);
      const sentAt = own.flatMap(sendsOf).map(([at]) => at);
      const cuts = cleared.filter((cut) => cut.line === line && cut.what === 'all').map(({ at }) => at);
      expectWithin(sentAt, cuts, 1, LIMITS.gapMs);
      expectWithin(sentAt, cuts, LIMITS.per10Minutes, 10 * MINUTE_MS);
      expectWithin(sentAt, cuts, LIMITS.perDay, DAY_MS);
    }
    for (const row of rows) expect(sendsOf(row).length).toBeLessThanOrEqual(5);
  },

  'a verification takes five wrong guesses, and a line twenty a day'({ failures, cleared }, rows) {
    for (const row of rows) {
      expect(failures.filter(({ id }) => id === row.id).length).toBeLessThanOrEqual(5);
      expect(row.attempts).toBeLessThanOrEqual(5);
    }
    for (const line of new Set(failures.map((failure) => failure.line))) {
      const times = failures.filter((failure) => failure.line === line).map(({ at }) => at);
      const cuts = cleared.filter((cut) => cut.line === line).map(({ at }) => at);
      expectWithin(times, cuts, 20, DAY_MS);
    }
  },

  'a line has at most one pending verification for a purpose'(_life, rows) {
    const pending = rows.filter((row) => statusAt(row, outbox.clock.now()) === 'pending');
    const names = pending.map((row) => `${row.destination} ${row.purpose}`);
    expect(names).toEqual([...new Set(names)]);
  },

  async 'each change has one event'(_life, rows) {
    const events = await outbox.database.reader.selectFrom('events').selectAll().orderBy('seq').execute();
    for (const row of rows) {
      const own = events.filter((event) => event.subject === row.id && event.message_id === null);
      const ending = row.status === 'pending' ? [] : [ENDINGS[row.status as keyof typeof ENDINGS]];
      expect(own.map(({ type }) => type)).toEqual(['otp.created', ...ending]);
      for (const [, id] of sendsOf(row))
        expect(await outbox.eventHistory(id)).toEqual(await outbox.changes(id));
    }
  },

  async 'what has ended has no code and no message that waits'(_life, rows) {
    for (const row of rows.filter(({ status }) => status !== 'pending')) {
      expect([row.sealed_code, row.move_at]).toEqual([null, null]);
      for (const [, id] of sendsOf(row)) expect((await outbox.row(id)).status).not.toBe('queued');
    }
  },
};

test('every rule holds, whatever callers, people, time and channels do, in whatever order', async () => {
  // The one that the time limit interrupts goes on; no other test begins before it has ended.
  let last: Promise<unknown> | undefined;
  onTestFinished(async () => {
    await last?.catch(() => {});
  });
  await fc.assert(
    fc.asyncProperty(steps, async (happening) => {
      const living = live(happening);
      last = living;
      const life = await living;
      const rows = await verifications();
      for (const [rule, check] of Object.entries(RULES)) {
        try {
          await check(life, rows);
        } catch (cause) {
          throw new Error(`Broken: ${rule}.`, { cause });
        }
      }
    }),
    // Making a life that breaks a rule shorter takes long; what it has come to by then is shown.
    { numRuns: 25, interruptAfterTimeLimit: 10_000 },
  );
});

test('a message that fails for good after its code has expired leaves the verification expired', async () => {
  const { database, clock, messages } = outbox;
  const { verification } = await database.transaction((trx) =>
    otp.send(trx, { projectId: PROJECT, phone: PHONES[2]!, purpose: 'login', channel: 'auto' }),
  );
  const [claim] = await messages.claimDue('simulator', 1);
  clock.set(clock.now() + 5 * MINUTE_MS);
  const seen = [(await otp.get(PROJECT, verification.id)).verification.status];
  await messages.markTryFailed(claim!, 'permanent', 'gone');
  seen.push((await otp.get(PROJECT, verification.id)).verification.status);
  await otp.expireDue(100);
  seen.push((await otp.get(PROJECT, verification.id)).verification.status);
  expect(seen).toEqual(['expired', 'expired', 'expired']);
});

test('the same code by another channel has the text that belongs to that channel, and a caller’s text as it was given', async () => {
  const texts = async () => {
    const { reader } = outbox.database;
    const ids = (await reader.selectFrom('messages').select('id').orderBy('id').execute()).map(
      ({ id }) => id,
    );
    const live = await Promise.all(
      ids.map(
        async (id) => [await outbox.messages.liveText(id), await outbox.messages.liveCode(id)] as const,
      ),
    );
    return live.map(([text, code]) => text!.replace(code!, '{{code}}'));
  };
  const service = serviceOver(
    outbox.database,
    scriptedRouting([new ScriptedChannel('whatsapp'), new ScriptedChannel('sms')]),
  );
  const sendBy = async (channel: 'whatsapp' | 'sms', message?: string) => {
    const request = { projectId: PROJECT, phone: PHONES[2]!, purpose: 'login', channel, message };
    await outbox.database.transaction((trx) => service.send(trx, request));
    await outbox.clock.advance(MINUTE_MS);
  };
  await sendBy('whatsapp');
  await sendBy('sms');
  await sendBy('whatsapp');
  const plain = 'Kode verifikasi Anda {{code}}. Berlaku selama 5 menit. Jangan bagikan kepada siapa pun.';
  const bold = plain.replace('{{code}}', '*{{code}}*');
  expect(await texts()).toEqual([bold, plain, bold]);

  await clear();
  await sendBy('whatsapp', 'Kode: *{{code}}*');
  await sendBy('sms');
  expect(await texts()).toEqual(['Kode: *{{code}}*', 'Kode: *{{code}}*']);
});

test.each(['resend', 'cancel'] as const)(
  'a verification that is deleted while a %s waits for its phone answers like one that never existed',
  async (request) => {
    const { database } = outbox;
    const sent = await database.transaction((trx) => otp.send(trx, LOGIN));
    const whileItWaits = serviceOver({
      ...database,
      async serialize(trx, key) {
        await database.serialize(trx, key);
        await trx.deleteFrom('verifications').execute();
      },
    });
    const answer = (id: string) =>
      database.transaction((trx) => whileItWaits[request](trx, PROJECT, id)).catch((error: unknown) => error);
    const gone = await answer(sent.verification.id);
    expect(gone).toBeInstanceOf(WotpError);
    expect(gone).toEqual(await answer(newId('ver', outbox.clock.now())));
  },
);

test('a message that fails for good after its verification was deleted changes nothing else', async () => {
  const { database, messages } = outbox;
  await database.transaction((trx) => otp.send(trx, LOGIN));
  const [claim] = await messages.claimDue('simulator', 1);
  await database.transaction(async (trx) => {
    await trx.deleteFrom('verifications').execute();
  });
  await messages.markTryFailed(claim!, 'permanent', 'gone');
  expect((await outbox.row(claim!.id)).status).toBe('failed');
  const events = await database.reader.selectFrom('events').select('type').orderBy('seq').execute();
  expect(events.map(({ type }) => type)).not.toContain('verification.failed');
});
