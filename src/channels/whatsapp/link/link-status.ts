import { ConflictError } from '../../../errors/errors.ts';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { counted } from '../../../lib/counted.ts';
import { MINUTE_MS } from '../../../lib/duration.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { StoredSession } from './repository.ts';
import type { SessionState } from './session.ts';

/** A connection that comes back within this time is no news, in ms. */
const ALL_DOWN_AFTER_MS = MINUTE_MS;

/** States in which no phone is linked, or none that WhatsApp lets send. */
const OFFLINE: readonly SessionState[] = ['new', 'pairing', 'logged_out', 'banned'];

const IN_WORDS = { banned: 'banned', logged_out: 'logged out' } as const;

/** What the sessions of all processes come to together: whether WhatsApp can be used, and why not. */
export class LinkStatus {
  readonly #options;
  #noSenders: Timer | undefined;
  #areAllDown = false;
  #isStopped = false;

  constructor(options: {
    /** Every session as it is now. */
    sessions: () => readonly StoredSession[];
    /** Whether nothing is to be connected. */
    mockMode: boolean;
    /** What to do before anything can be connected, where Baileys is not installed. */
    libraryProblem: string | undefined;
    clock: Clock;
    log: Logger;
  }) {
    this.#options = options;
  }

  /** Whether a number is linked in the project, so that what is accepted now can be sent, now or soon. */
  isLinked(projectId: StoredSession['projectId']): boolean {
    if (this.#options.libraryProblem !== undefined) return false;
    return this.#options
      .sessions()
      .some(
        (session) =>
          session.projectId === projectId && session.phone !== null && !OFFLINE.includes(session.state),
      );
  }

  /** Whether the project has a session, in whatever state. */
  isSetUp(projectId: StoredSession['projectId']): boolean {
    return this.#options.sessions().some((session) => session.projectId === projectId);
  }

  /** The id and state of every session. */
  get states(): readonly Pick<StoredSession, 'id' | 'state'>[] {
    return this.#options.sessions();
  }

  /** Whether a session is connected at this moment. */
  get isConnected(): boolean {
    return this.#options.sessions().some(({ state }) => state === 'open');
  }

  /** Whether a session of a project is connected at this moment. */
  isConnectedFor(projectId: StoredSession['projectId']): boolean {
    return this.#options
      .sessions()
      .some((session) => session.projectId === projectId && session.state === 'open');
  }

  /** What is wrong with the links to WhatsApp, in a sentence without numbers or ids; undefined when all is well. */
  get problem(): string | undefined {
    if (this.#options.libraryProblem !== undefined) return this.#options.libraryProblem;
    // A session that was never linked, or that the operator paused, is as it is meant to be.
    const linked = this.#options.sessions().filter(({ phone }) => phone !== null);
    const states = linked.map(({ state }) => state).filter((state) => state !== 'paused');
    if (states.length === 0 && linked.length > 0) return 'Every linked WhatsApp number is paused.';
    const lost = (['banned', 'logged_out'] as const).flatMap((state) => {
      const count = states.filter((each) => each === state).length;
      return count === 0 ? [] : [`${count} ${count === 1 ? 'is' : 'are'} ${IN_WORDS[state]}`];
    });
    if (states.every((state) => OFFLINE.includes(state)))
      return ['No WhatsApp number is linked', ...lost].join('; ').concat('.');
    const working = states.filter((state) => state === 'open').length;
    if (working === states.length) return undefined;
    const connected =
      working === 0
        ? 'No linked WhatsApp number is connected at the moment'
        : `${working} of ${counted(states.length, 'WhatsApp number')} ${working === 1 ? 'is' : 'are'} connected`;
    return [connected, ...lost].join('; ').concat('.');
  }

  /** Refuses what needs WhatsApp where nothing connects to it: in mock mode, and without Baileys. */
  requireWhatsApp(): void {
    const { mockMode, libraryProblem } = this.#options;
    if (mockMode) {
      throw new ConflictError(
        'Mock mode is on, so nothing connects to WhatsApp. Set BOT_MOCK_MODE=false and start the server again.',
      );
    }
    if (libraryProblem !== undefined) throw new ConflictError(libraryProblem);
  }

  /** A session has changed its state. Logs when no linked number has been connected for a minute, and when one is again. */
  changed(): void {
    const { clock, log } = this.#options;
    if (this.isConnected) {
      this.#noSenders?.cancel();
      this.#noSenders = undefined;
      if (this.#areAllDown) log.info({}, 'a linked WhatsApp number is connected again');
      this.#areAllDown = false;
      return;
    }
    const isAnyLinked = () =>
      this.#options.sessions().some(({ state }) => !OFFLINE.includes(state) || state === 'banned');
    if (this.#noSenders || this.#areAllDown || !isAnyLinked()) return;
    this.#noSenders = clock.setTimeout(() => {
      this.#noSenders = undefined;
      if (this.isConnected || this.#isStopped || !isAnyLinked()) return;
      this.#areAllDown = true;
      log.error(
        { reason: this.problem },
        'no linked WhatsApp number is connected: nothing is sent over WhatsApp',
      );
    }, ALL_DOWN_AFTER_MS);
  }

  /** Says nothing any more. */
  stop(): void {
    this.#isStopped = true;
    this.#noSenders?.cancel();
  }
}
