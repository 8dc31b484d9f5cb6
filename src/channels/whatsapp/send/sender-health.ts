import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../lib/duration.ts';

/** What WhatsApp itself holds against a number: it may open no new chats. */
interface DeclaredLock {
  /** Unix ms; undefined when WhatsApp does not say when it ends. */
  endsAt: number | undefined;
  /** WhatsApp's word for the cause, such as `BIZ_QUALITY`. */
  type: string;
}

/** How many new chats WhatsApp lets a number open in a cycle, and how near the end of it the number is. */
interface DeclaredCap {
  status: 'NONE' | 'FIRST_WARNING' | 'SECOND_WARNING' | 'CAPPED';
  used: number | undefined;
  quota: number | undefined;
  /** Unix ms; undefined when WhatsApp does not say. */
  cycleEndsAt: number | undefined;
}

/** Whether a number may open a chat with someone it has not written to, and in plain words why not. */
export type Admission = { open: true } | { open: false; reason: string; until: number };

/** A number's health, as operators see it. */
export interface HealthReport {
  /** 100 is a number that nothing is known against; 0 is one that can open no chat. */
  score: number;
  /** What lowers the score, the most severe first. */
  reasons: string[];
  newChats: Admission;
}

/** What is kept over a restart. */
export interface StoppedChats {
  /** Unix ms. */
  until: number;
  /** How often in a row new chats were stopped. */
  stops: number;
}

/**
 * One linked number's health, from what WhatsApp declares and from what is observed. Pure state: it reads no clock
 * (every time is given, in Unix ms) and asks nobody.
 */
export interface SenderHealth {
  /** Whether the number may open a new chat now. */
  admission(now: number): Admission;
  /** How many new chats may wait for WhatsApp's answer at once; 0 while none may be opened. */
  newChatWindow(now: number): number;
  /** A new chat is about to be opened; counts for the pace after a stop. */
  openingChat(now: number): void;
  /** WhatsApp has taken a message, `latencyMs` after it left. */
  acknowledged(latencyMs: number, isNewChat: boolean, now: number): void;
  /** A message was not acknowledged in time. */
  unacknowledged(now: number): void;
  /** WhatsApp has refused to open a chat (error 463). Returns whether that has stopped new chats. */
  refused(now: number): boolean;
  /** What WhatsApp says of a lock; undefined: there is none. */
  declareLock(lock: DeclaredLock | undefined, now: number): void;
  declareCap(cap: DeclaredCap, now: number): void;
  /** A message has reached its phone: it was not sent into the void. */
  arrived(): void;
  report(now: number): HealthReport;
  /** What to keep over a restart; undefined when new chats were never stopped, or go freely again. */
  readonly stopped: StoppedChats | undefined;
}

/** New chats that may be refused in a row before none is opened any more. */
const REFUSALS_MAX = 2;
/** New chats that may wait for an answer at once, so that no more than these can be refused before the stop. */
const WINDOW = REFUSALS_MAX + 1;
/** How long none is opened after that; twice as long each time it happens again, a day at most. */
const FIRST_STOP_MS = HOUR_MS;
/** A lock without an end, or a cap without the end of its cycle, is believed for this long. */
const UNKNOWN_LOCK_MS = HOUR_MS;
const UNKNOWN_CYCLE_MS = DAY_MS;
/** After a stop, so many new chats are opened with these gaps before they go freely again. */
const RAMP = [
  { chats: 5, gapMs: MINUTE_MS },
  { chats: 20, gapMs: 20_000 },
];
const RAMP_CHATS = RAMP.reduce((sum, { chats }) => sum + chats, 0);
/** The latest messages by which acknowledgements and arrivals are judged. */
const JUDGED = 50;
const JUDGED_MIN = 10;
const SLOW_ACK_MS = 3_000;

const time = (at: number) => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');

/** @param kept what an earlier process had kept of this number */
export function senderHealth(kept?: StoppedChats): SenderHealth {
  let lock: { endsAt: number; type: string } | undefined;
  let cap: { endsAt: number; status: DeclaredCap['status']; used?: number; quota?: number } | undefined;
  let stoppedUntil = kept?.until ?? 0;
  let stops = kept?.stops ?? 0;
  let refusals = 0;
  /** New chats opened since the last stop; undefined when there was none, or it is forgotten. */
  let ramped = kept === undefined ? undefined : 0;
  let lastOpenedAt = 0;
  let outcomes: { acknowledged: boolean; latencyMs: number }[] = [];
  let sent = 0;
  let arrivals = 0;

  const lockAt = (now: number) => (lock && lock.endsAt > now ? lock : undefined);
  const capAt = (now: number) => (cap && cap.endsAt > now ? cap : undefined);

  function stop(until: number): void {
    stoppedUntil = Math.max(stoppedUntil, until);
    ramped = 0;
    refusals = 0;
  }

  function rampGapMs(opened: number): number {
    let chats = 0;
    for (const step of RAMP) {
      chats += step.chats;
      if (opened < chats) return step.gapMs;
    }
    return 0;
  }

  function admission(now: number): Admission {
    const locked = lockAt(now);
    if (locked) {
      const reason = `WhatsApp lets this number open no new chats until ${time(locked.endsAt)} (${locked.type}).`;
      return { open: false, reason, until: locked.endsAt };
    }
    const capped = capAt(now);
    if (capped) {
      const used = capped.quota === undefined ? '' : ` (${capped.used ?? '?'} of ${capped.quota} used)`;
      const reason = `WhatsApp warns that this number has opened many new chats${used}; it opens none until ${time(capped.endsAt)}.`;
      return { open: false, reason, until: capped.endsAt };
    }
    if (stoppedUntil > now) {
      const reason = `WhatsApp has refused new chats from this number; it tries again at ${time(stoppedUntil)}.`;
      return { open: false, reason, until: stoppedUntil };
    }
    const nextAt = ramped === undefined ? 0 : lastOpenedAt + rampGapMs(ramped);
    if (nextAt > now) {
      const reason = 'After a stop by WhatsApp this number opens new chats slowly.';
      return { open: false, reason, until: nextAt };
    }
    return { open: true };
  }

  function note(outcome: { acknowledged: boolean; latencyMs: number }): void {
    outcomes = [...outcomes.slice(1 - JUDGED), outcome];
  }

  return {
    admission,
    newChatWindow(now) {
      return admission(now).open ? WINDOW - refusals : 0;
    },
    openingChat(now) {
      lastOpenedAt = now;
    },
    acknowledged(latencyMs, isNewChat) {
      note({ acknowledged: true, latencyMs });
      // Old arrivals fade, so that the share is that of the latest messages.
      sent += 1;
      if (sent > 2 * JUDGED) [sent, arrivals] = [sent / 2, arrivals / 2];
      if (!isNewChat) return;
      refusals = 0;
      if (ramped === undefined) return;
      ramped += 1;
      if (ramped >= RAMP_CHATS) [ramped, stops] = [undefined, 0];
    },
    unacknowledged() {
      note({ acknowledged: false, latencyMs: 0 });
    },
    refused(now) {
      // This chat was opened before the stop, and says nothing that is not known.
      if (stoppedUntil > now || lockAt(now)) return false;
      refusals += 1;
      // While chats are opened again after a stop, one refusal is enough.
      if (refusals < REFUSALS_MAX && ramped === undefined) return false;
      stop(now + Math.min(DAY_MS, FIRST_STOP_MS * 2 ** stops));
      stops += 1;
      return true;
    },
    declareLock(declared, now) {
      const had = lockAt(now) !== undefined;
      lock = declared && { type: declared.type, endsAt: declared.endsAt ?? now + UNKNOWN_LOCK_MS };
      // Lifted or begun: what follows is opened slowly. A declared end is better known than a guessed one.
      if (had || lockAt(now)) {
        stop(0);
        stoppedUntil = 0;
      }
    },
    declareCap(declared, now) {
      const { status, used, quota, cycleEndsAt } = declared;
      cap =
        status === 'NONE'
          ? undefined
          : {
              status,
              endsAt: cycleEndsAt ?? now + UNKNOWN_CYCLE_MS,
              ...(quota === undefined ? {} : { used, quota }),
            };
      if (capAt(now)) ramped = 0;
    },
    arrived() {
      arrivals = Math.min(sent, arrivals + 1);
    },
    report(now) {
      const newChats = admission(now);
      const findings: { cost: number; reason: string }[] = [];
      if (lockAt(now)) findings.push({ cost: 100, reason: (newChats as { reason: string }).reason });
      const capped = capAt(now);
      if (capped) {
        const cost = { NONE: 0, FIRST_WARNING: 40, SECOND_WARNING: 60, CAPPED: 80 }[capped.status];
        findings.push({ cost, reason: `WhatsApp's limit of new chats: ${capped.status}.` });
      }
      if (stoppedUntil > now)
        findings.push({ cost: 60, reason: 'WhatsApp has refused new chats (error 463).' });
      else if (ramped !== undefined && !lockAt(now) && !capped) {
        findings.push({ cost: 20, reason: 'New chats are opened slowly after a stop.' });
      }
      if (outcomes.length >= JUDGED_MIN) {
        const acknowledged = outcomes.filter((outcome) => outcome.acknowledged);
        const percent = Math.round((100 * acknowledged.length) / outcomes.length);
        if (percent < 95) {
          const reason = `WhatsApp acknowledged ${percent} % of the last ${outcomes.length} messages in time.`;
          findings.push({ cost: Math.min(60, 100 - percent), reason });
        }
        const latencies = acknowledged.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
        const median = latencies[Math.floor(latencies.length / 2)] ?? 0;
        if (median > SLOW_ACK_MS) {
          findings.push({
            cost: 10,
            reason: `WhatsApp takes ${(median / 1000).toFixed(1)} s to acknowledge.`,
          });
        }
      }
      if (sent >= JUDGED && arrivals < sent / 2) {
        const percent = Math.round((100 * arrivals) / sent);
        findings.push({ cost: 20, reason: `Only ${percent} % of the latest messages reached their phones.` });
      }
      findings.sort((a, b) => b.cost - a.cost);
      const score = Math.max(0, 100 - findings.reduce((sum, { cost }) => sum + cost, 0));
      return { score, reasons: findings.map(({ reason }) => reason), newChats };
    },
    get stopped() {
      return stops === 0 ? undefined : { until: stoppedUntil, stops };
    },
  };
}
