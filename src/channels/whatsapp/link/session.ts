import type { WASocket } from 'baileys';
import type { Transaction } from '../../../database/database.ts';

/** Every state a session can be in; the documentation and the routes show them in this order. */
export const SESSION_STATES = [
  'new',
  'pairing',
  'connecting',
  'open',
  'degraded',
  'reconnecting',
  'logged_out',
  'banned',
  'paused',
  'action_required',
] as const;

export type SessionState = (typeof SESSION_STATES)[number];

/**
 * A connection to WhatsApp, as far as it is used beyond the one place where Baileys is entered. Whatever is behind it, in
 * this thread or another one, has to offer no more than this.
 */
export interface WhatsAppSocket
  extends Pick<
    WASocket,
    | 'user'
    | 'sendMessage'
    | 'onWhatsApp'
    | 'getUSyncDevices'
    | 'assertSessions'
    | 'fetchAccountReachoutTimelock'
    | 'fetchNewChatMessageCap'
  > {
  readonly authState: { readonly keys: Pick<WASocket['authState']['keys'], 'get' | 'set'> };
  readonly signalRepository: {
    readonly lidMapping: Pick<WASocket['signalRepository']['lidMapping'], 'getLIDsForPNs' | 'getPNForLID'>;
  };
  readonly ev: Pick<WASocket['ev'], 'on'>;
  readonly ws: {
    readonly isOpen: boolean;
    // biome-ignore lint/suspicious/noExplicitAny: a listener takes what its event brings
    on(event: string, listener: (...given: any[]) => void): void;
    // biome-ignore lint/suspicious/noExplicitAny: as above
    off(event: string, listener: (...given: any[]) => void): void;
  };
}

/** One linked WhatsApp number, driven by this process. */
export interface Session {
  /** `ses_…` */
  readonly id: string;
  readonly projectId: number;
  /** The linked number in E.164; undefined until it is linked. */
  readonly number: string | undefined;
  readonly state: SessionState;
  /** When it was first linked, Unix ms. */
  readonly linkedAt: number | undefined;
  /** Baileys' socket while the state is `open` or `degraded`; a new object after every reconnect. */
  readonly socket: WhatsAppSocket | undefined;
}

/** A change of state; `reason` in plain words, `nextAttemptAt` in Unix ms when a reconnect is planned. */
export interface StateChange {
  from: SessionState;
  to: SessionState;
  reason: string | null;
  nextAttemptAt: number | null;
}

/** What sessions tell, each with the session it is about. */
export interface SessionEvents {
  /** The state changed. */
  state: [session: Session, change: StateChange];
  /** A new socket has opened: whoever sends or listens attaches to it here. */
  open: [session: Session, socket: WhatsAppSocket];
  /** The socket is gone. */
  closed: [session: Session];
}

/** The sessions of this process. */
export interface Sessions {
  /** Whether the stored ones have been read and taken up since the start; before, nothing can be said of them. */
  readonly isReady: boolean;
  /** Sessions driven by this process. */
  all(): readonly Session[];
  /** Listeners are called in the order in which they were added, and must not throw. */
  on<E extends keyof SessionEvents>(event: E, listener: (...args: SessionEvents[E]) => void): void;
  /**
   * In the transaction of a write for a session: whether this process drives it, and does until the transaction ends.
   * Otherwise another one has written what is right by now, and the write is left out.
   */
  holds(trx: Transaction, sessionId: string): Promise<boolean>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The text of a message while its code lives, by the WhatsApp id it was sent under; undefined when there is none, or it
 * did not go to this number (E.164). Asked when a phone could not decrypt a message and wants it again.
 */
export type MessageText = (wireId: string, number: string) => Promise<string | undefined>;
