import type { Wire } from './socket.ts';

/** The way out of a socket. */
export interface OutputGate {
  /** Resolves when nothing is held back any more. */
  empty(): Promise<void>;
}

/** What has to be on disk before anything goes out. */
interface Savable {
  readonly isSaved: boolean;
  saved(): Promise<void>;
}

/**
 * Lets nothing out of the socket before the keys it was made with are on disk, so that no kill at any moment leaves a
 * phone with a message whose key this side has forgotten; and nothing while it is not sure that this process still
 * drives the session, so that one that was frozen throws nobody out. What is held back goes out in its order; the
 * sender need not wait for it.
 * @param onLost called once when nothing may go out any more: keys could not be kept, for which there is an error, or
 * the lease is not sure. What was held back is gone, and the connection is of no more use.
 */
export function guardOutput(
  wire: Pick<Wire, 'send'>,
  keys: Savable,
  lease: { readonly isSure: boolean },
  onLost: (error?: unknown) => void,
): OutputGate {
  const send = wire.send.bind(wire);
  let last: Promise<void> | undefined;
  let isLost = false;

  function lose(error?: unknown): void {
    if (isLost) return;
    isLost = true;
    onLost(error);
  }

  wire.send = (data, done) => {
    if (!lease.isSure) lose();
    if (isLost) {
      done?.(new Error('This connection is closed for sending.'));
      return;
    }
    if (last === undefined && keys.isSaved) {
      send(data, done);
      return;
    }
    // Asked for now: what is written later belongs to later messages.
    const turn = Promise.all([keys.saved(), last])
      .then(() => {
        if (!lease.isSure) lose();
        // By then the connection may be closed, which its own events tell.
        if (!isLost) send(data, () => {});
      })
      .catch(lose)
      .finally(() => {
        if (last === turn) last = undefined;
      });
    last = turn;
    done?.();
  };

  return {
    async empty() {
      while (last !== undefined) await last;
    },
  };
}
