import type { BinaryNode } from 'baileys';
import type { AuthStore } from './auth-store.ts';
import { frameCutter } from './frame-bounds.ts';
import { FrameTooLongError } from './frame-work.ts';
import { type LibraryUser, ours } from './library-scope.ts';
import { isOfGroups, isOfLinking, shorten } from './stanzas.ts';

/** Frames that the library gets in one turn of the event loop; for the next ones everybody else has had a turn. */
const FRAMES_A_TURN = 8;

/** The code of the error that ws gives. */
const TOO_LONG_FOR_WS = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';

/** A WebSocket that can leave what comes to the other side for a while. */
export interface PausableWire {
  readonly isPaused: boolean;
  pause(): void;
  resume(): void;
}

/** What the library hears from its connection, and tells itself. */
interface Emitter {
  emit(event: string | symbol, ...given: unknown[]): boolean;
  // biome-ignore lint/complexity/noBannedTypes: as Node has it
  rawListeners(event: string | symbol): Function[];
}

/**
 * Keeps from the library what is too large, and stanzas that have no business on this connection; gives it a few frames a
 * turn; and hears of what it lets through while it takes them.
 */
export function filterIncoming(ws: Emitter, wire: PausableWire, auth: AuthStore, user: LibraryUser): void {
  const cut = frameCutter();
  const failed = ours((error: unknown) => user.failed(error));
  /** What came over the line and was not given on yet, in order. */
  const waiting: [event: 'message' | 'close' | 'error', ...given: unknown[]][] = [];
  let takenThisTurn = 0;
  let isOver = false;
  let dropped: unknown;

  ws.emit = (event, ...given) => {
    if (event === 'message') {
      receive(given[0] as Uint8Array);
      return true;
    }
    const { code } = (event === 'error' ? given[0] : {}) as { code?: string };
    // Before it would be taken for trouble on the line.
    if (code === TOO_LONG_FOR_WS) failed(new FrameTooLongError('A message was longer than allowed.'));
    // A frame may say why the line is closed.
    if ((event === 'close' || event === 'error') && waiting.length > 0) {
      waiting.push([event, ...given]);
      return true;
    }
    return !hasNoBusiness(event, given[0]) && giveOn(event, given);
  };

  function receive(message: Uint8Array): void {
    if (isOver) return;
    try {
      for (const piece of cut(message)) waiting.push(['message', piece]);
      giveSome();
    } catch (error) {
      isOver = true;
      failed(error);
    }
  }

  function giveSome(): void {
    while (waiting.length > 0 && takenThisTurn < FRAMES_A_TURN) {
      if (takenThisTurn === 0) setImmediate(nextTurn);
      takenThisTurn += 1;
      const [event, ...given] = waiting.shift()!;
      giveOn(event, given);
    }
    if (wire.isPaused !== waiting.length > 0) {
      if (wire.isPaused) wire.resume();
      else wire.pause();
    }
  }

  function nextTurn(): void {
    takenThisTurn = 0;
    giveSome();
  }

  function hasNoBusiness(event: string | symbol, what: unknown): boolean {
    // Baileys tells itself of every stanza as a frame first, and then by all of its names.
    if (event === 'frame' && !(what instanceof Uint8Array)) {
      const stanza = what as BinaryNode;
      shorten(stanza);
      dropped = isOfGroups(stanza) || (auth.isLinked && isOfLinking(stanza)) ? stanza : undefined;
    }
    return what !== undefined && what === dropped;
  }

  function giveOn(event: string | symbol, given: unknown[]): boolean {
    const listeners = ws.rawListeners(event);
    for (const listener of listeners) {
      try {
        const taken: unknown = Reflect.apply(listener, ws, given);
        if (taken instanceof Promise) taken.catch(failed);
      } catch (error) {
        failed(error);
      }
    }
    return listeners.length > 0;
  }
}
