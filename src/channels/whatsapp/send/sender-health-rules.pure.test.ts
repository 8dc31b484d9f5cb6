import { describe, expect, test } from 'vitest';
import { type SenderHealth, senderHealth } from './sender-health.ts';

const NOW = Date.UTC(2026, 0, 15, 12);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A new chat that WhatsApp takes. */
function open(health: SenderHealth, now: number): void {
  health.openingChat(now);
  health.acknowledged(50, true, now);
}

/** A number whose new chats were stopped just now, by two refusals. */
function stopped(): SenderHealth {
  const health = senderHealth();
  health.refused(NOW);
  health.refused(NOW);
  return health;
}

function acknowledge(health: SenderHealth, count: number, latencyMs = 50): void {
  for (let i = 0; i < count; i++) health.acknowledged(latencyMs, false, NOW);
}

function miss(health: SenderHealth, count: number): void {
  for (let i = 0; i < count; i++) health.unacknowledged(NOW);
}

describe('what an earlier process had kept', () => {
  test('goes on: the stop until its end, the next one longer, and the ramp after it', () => {
    const health = senderHealth({ until: NOW + HOUR_MS, stops: 2 });
    expect(health.admission(NOW + HOUR_MS - 1)).toMatchObject({ open: false, until: NOW + HOUR_MS });
    expect(health.admission(NOW + HOUR_MS)).toEqual({ open: true });
    open(health, NOW + HOUR_MS);
    expect(health.admission(NOW + HOUR_MS)).toEqual({
      open: false,
      reason: 'After a stop by WhatsApp this number opens new chats slowly.',
      until: NOW + HOUR_MS + MINUTE_MS,
    });
    expect(health.refused(NOW + 2 * HOUR_MS)).toBe(true);
    expect(health.stopped).toEqual({ until: NOW + 6 * HOUR_MS, stops: 3 });
  });

  test('is nothing where nothing was kept', () => {
    expect(senderHealth().stopped).toBeUndefined();
    expect(senderHealth().admission(0)).toEqual({ open: true });
  });

  test('is forgotten when new chats go freely again', () => {
    const health = stopped();
    expect(health.stopped).toEqual({ until: NOW + HOUR_MS, stops: 1 });
    let now = NOW + HOUR_MS;
    for (let chat = 0; chat < 24; chat++) {
      now += MINUTE_MS;
      open(health, now);
    }
    expect(health.stopped).toMatchObject({ stops: 1 });
    open(health, now + MINUTE_MS);
    expect(health.stopped).toBeUndefined();
    expect(health.refused(now + MINUTE_MS)).toBe(false);
  });
});

describe('a refusal', () => {
  test('after the stop has ended counts again; at its last moment it does not', () => {
    const health = stopped();
    expect(health.refused(NOW + HOUR_MS - 1)).toBe(false);
    expect(health.stopped).toMatchObject({ stops: 1 });
    expect(health.refused(NOW + HOUR_MS)).toBe(true);
    expect(health.stopped).toMatchObject({ stops: 2, until: NOW + 3 * HOUR_MS });
  });

  test('while WhatsApp has declared a lock says nothing new', () => {
    const health = senderHealth();
    health.declareLock({ endsAt: NOW + HOUR_MS, type: 'DEFAULT' }, NOW);
    expect(health.refused(NOW)).toBe(false);
    expect(health.stopped).toBeUndefined();
  });

  test('in known chats is forgiven by no acknowledged message: only a new chat shows that they are taken', () => {
    const health = senderHealth();
    health.refused(NOW);
    acknowledge(health, 5);
    expect(health.refused(NOW)).toBe(true);
  });

  test('begins from none again after a stop', () => {
    const health = stopped();
    health.declareLock(undefined, NOW);
    expect(health.newChatWindow(NOW + HOUR_MS)).toBe(3);
  });
});

describe('a lock that WhatsApp declares', () => {
  const lock = (endsAt: number | undefined) => ({ endsAt, type: 'BIZ_QUALITY' });

  test('closes new chats until the very moment of its end, and goes before all other reasons', () => {
    const health = stopped();
    health.declareCap({ status: 'CAPPED', used: 9, quota: 9, cycleEndsAt: NOW + DAY_MS }, NOW);
    health.declareLock(lock(NOW + HOUR_MS), NOW);
    expect(health.newChatWindow(NOW)).toBe(0);
    expect(health.admission(NOW + HOUR_MS - 1)).toMatchObject({
      open: false,
      reason: 'WhatsApp lets this number open no new chats until 2026-01-15T13:00:00Z (BIZ_QUALITY).',
    });
    expect(health.admission(NOW + HOUR_MS)).toMatchObject({ open: false, until: NOW + DAY_MS });
  });

  test('ends the guessed stop with it, since a declared end is known better', () => {
    const health = stopped();
    health.declareLock(lock(NOW + MINUTE_MS), NOW);
    expect(health.admission(NOW + MINUTE_MS)).toEqual({ open: true });
    open(health, NOW + MINUTE_MS);
    expect(health.admission(NOW + MINUTE_MS)).toMatchObject({ open: false, until: NOW + 2 * MINUTE_MS });
  });

  test('that has ended already, or is none, changes nothing', () => {
    for (const declared of [lock(NOW), undefined]) {
      const health = senderHealth();
      health.declareLock(declared, NOW);
      open(health, NOW);
      expect(health.admission(NOW)).toEqual({ open: true });
      const other = stopped();
      other.declareLock(declared, NOW);
      expect(other.admission(NOW)).toMatchObject({ until: NOW + HOUR_MS });
    }
  });

  test('that is lifted lets new chats be opened slowly', () => {
    const health = senderHealth();
    health.declareLock(lock(NOW + HOUR_MS), NOW);
    health.declareLock(undefined, NOW + MINUTE_MS);
    open(health, NOW + MINUTE_MS);
    expect(health.admission(NOW + MINUTE_MS)).toMatchObject({ open: false, until: NOW + 2 * MINUTE_MS });
  });
});

describe("WhatsApp's limit of new chats", () => {
  test.each([
    ['FIRST_WARNING', 60],
    ['SECOND_WARNING', 40],
    ['CAPPED', 20],
  ] as const)('at %s leaves a score of %i and is named', (status, score) => {
    const health = senderHealth();
    health.declareCap({ status, used: undefined, quota: undefined, cycleEndsAt: undefined }, NOW);
    expect(health.report(NOW)).toMatchObject({
      score,
      reasons: [`WhatsApp's limit of new chats: ${status}.`],
    });
  });

  test('without the end of its cycle is believed for a day, without figures where there are none', () => {
    const health = senderHealth();
    health.declareCap({ status: 'CAPPED', used: undefined, quota: undefined, cycleEndsAt: undefined }, NOW);
    expect(health.admission(NOW)).toEqual({
      open: false,
      reason:
        'WhatsApp warns that this number has opened many new chats; it opens none until 2026-01-16T12:00:00Z.',
      until: NOW + DAY_MS,
    });
    expect(health.admission(NOW + DAY_MS - 1).open).toBe(false);
    expect(health.admission(NOW + DAY_MS).open).toBe(true);
  });

  test('says ? for what is used where WhatsApp tells the quota alone', () => {
    const health = senderHealth();
    health.declareCap({ status: 'CAPPED', used: undefined, quota: 250, cycleEndsAt: undefined }, NOW);
    expect(health.admission(NOW)).toMatchObject({ reason: expect.stringContaining('(? of 250 used)') });
  });

  test('is followed by a slow beginning; one that has ended when it is declared is not', () => {
    const health = senderHealth();
    health.declareCap({ status: 'CAPPED', used: 1, quota: 1, cycleEndsAt: NOW + HOUR_MS }, NOW);
    open(health, NOW + HOUR_MS);
    expect(health.admission(NOW + HOUR_MS).open).toBe(false);

    const past = senderHealth();
    past.declareCap({ status: 'CAPPED', used: 1, quota: 1, cycleEndsAt: NOW }, NOW);
    open(past, NOW);
    expect(past.report(NOW)).toEqual({ score: 100, reasons: [], newChats: { open: true } });
  });
});

describe('the report', () => {
  test('names a stop, and after it the slow beginning, once and not beside what explains more', () => {
    const health = stopped();
    expect(health.report(NOW + HOUR_MS - 1)).toMatchObject({
      score: 40,
      reasons: ['WhatsApp has refused new chats (error 463).'],
    });
    expect(health.report(NOW + HOUR_MS)).toMatchObject({
      score: 80,
      reasons: ['New chats are opened slowly after a stop.'],
    });
    health.declareCap({ status: 'FIRST_WARNING', used: 1, quota: 2, cycleEndsAt: NOW + DAY_MS }, NOW);
    expect(health.report(NOW + HOUR_MS)).toMatchObject({
      score: 60,
      reasons: ["WhatsApp's limit of new chats: FIRST_WARNING."],
    });
    health.declareLock({ endsAt: NOW + DAY_MS, type: 'DEFAULT' }, NOW);
    expect(health.report(NOW + HOUR_MS)).toMatchObject({
      score: 0,
      reasons: [
        'WhatsApp lets this number open no new chats until 2026-01-16T12:00:00Z (DEFAULT).',
        "WhatsApp's limit of new chats: FIRST_WARNING.",
      ],
    });
  });

  test('names the gravest first, and the score is never below 0', () => {
    const health = stopped();
    acknowledge(health, 10, 4_000);
    miss(health, 1);
    expect(health.report(NOW)).toMatchObject({
      score: 21,
      reasons: [
        'WhatsApp has refused new chats (error 463).',
        'WhatsApp takes 4.0 s to acknowledge.',
        'WhatsApp acknowledged 91 % of the last 11 messages in time.',
      ],
    });
    miss(health, 50);
    expect(health.report(NOW).score).toBe(0);
  });

  test('judges acknowledgements from the tenth message on', () => {
    const health = senderHealth();
    miss(health, 9);
    expect(health.report(NOW).reasons).toEqual([]);
    miss(health, 1);
    expect(health.report(NOW)).toMatchObject({
      score: 40,
      reasons: ['WhatsApp acknowledged 0 % of the last 10 messages in time.'],
    });
  });

  test('is content with 95 in a hundred, and takes off what is missing below', () => {
    const health = senderHealth();
    acknowledge(health, 19);
    miss(health, 1);
    expect(health.report(NOW)).toMatchObject({ score: 100, reasons: [] });
    acknowledge(health, 10);
    miss(health, 1);
    expect(health.report(NOW)).toMatchObject({
      score: 94,
      reasons: ['WhatsApp acknowledged 94 % of the last 31 messages in time.'],
    });
  });

  test('judges by the last 50 messages', () => {
    const health = senderHealth();
    miss(health, 50);
    acknowledge(health, 47);
    expect(health.report(NOW)).toMatchObject({
      reasons: ['WhatsApp acknowledged 94 % of the last 50 messages in time.'],
    });
    acknowledge(health, 1);
    expect(health.report(NOW)).toMatchObject({ score: 100 });
  });

  test('calls the median acknowledgement slow above 3 s, whatever the order, and not at 3 s', () => {
    const health = senderHealth();
    for (const latencyMs of [9_000, 1, 9_000, 1, 9_000, 1, 9_000, 1, 9_000, 1, 3_000]) {
      acknowledge(health, 1, latencyMs);
    }
    expect(health.report(NOW)).toMatchObject({ score: 100 });
    acknowledge(health, 2, 3_001);
    expect(health.report(NOW)).toMatchObject({
      score: 90,
      reasons: ['WhatsApp takes 3.0 s to acknowledge.'],
    });
  });

  test('says that messages do not arrive from the 50th on, when less than half of them did', () => {
    const health = senderHealth();
    acknowledge(health, 49);
    expect(health.report(NOW).reasons).toEqual([]);
    acknowledge(health, 1);
    expect(health.report(NOW)).toMatchObject({
      score: 80,
      reasons: ['Only 0 % of the latest messages reached their phones.'],
    });
    for (let i = 0; i < 24; i++) health.arrived();
    expect(health.report(NOW)).toMatchObject({
      reasons: ['Only 48 % of the latest messages reached their phones.'],
    });
    health.arrived();
    expect(health.report(NOW)).toMatchObject({ score: 100 });
  });

  test('lets old arrivals fade: what arrived of the latest hundred decides', () => {
    const health = senderHealth();
    for (let i = 0; i < 100; i++) {
      acknowledge(health, 1);
      health.arrived();
    }
    acknowledge(health, 49);
    expect(health.report(NOW)).toMatchObject({ score: 100 });
    acknowledge(health, 3);
    expect(health.report(NOW)).toMatchObject({ score: 80 });
  });

  test('counts no more arrivals than messages', () => {
    const health = senderHealth();
    for (let i = 0; i < 500; i++) health.arrived();
    acknowledge(health, 50);
    expect(health.report(NOW)).toMatchObject({ score: 80 });
  });
});
