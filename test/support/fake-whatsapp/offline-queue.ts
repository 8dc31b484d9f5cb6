import { SERVER, type Stanza, stanza } from './stanza.ts';

/**
 * The stanzas of one linked device that it has not acknowledged. They go out at once while it is there; when it comes
 * back after an absence it is told their number, asks for them, and gets them all, marked as offline.
 */
export interface OfflineQueue {
  readonly length: number;
  /** The device has everything that came while it was away; what comes now goes out at once. */
  readonly flowing: boolean;
  add(node: Stanza): void;
  /** The client's `<ack>`, or its `<receipt>` for a message. */
  acknowledge(node: Stanza): void;
  /** The device has logged in and is active. */
  cameBack(): void;
  /** The device has asked for what waits. */
  sendWaiting(): void;
  wentAway(): void;
}

export function offlineQueue(send: (node: Stanza) => void): OfflineQueue {
  const waiting = new Set<Stanza>();
  let flowing = false;

  const sendWaiting = () => {
    let count = 0;
    for (const node of waiting) {
      send({ ...node, attrs: { ...node.attrs, offline: String(count) } });
      count += 1;
    }
    flowing = true;
    send(stanza('ib', { from: SERVER }, [stanza('offline', { count: String(count) })]));
  };

  return {
    get length() {
      return waiting.size;
    },
    get flowing() {
      return flowing;
    },
    add(node) {
      waiting.add(node);
      if (flowing) send(node);
    },
    acknowledge(ack) {
      for (const node of waiting) if (isAcknowledgedBy(node, ack)) waiting.delete(node);
    },
    cameBack() {
      if (waiting.size === 0) {
        sendWaiting();
        return;
      }
      const preview = stanza('offline_preview', { count: String(waiting.size) });
      send(stanza('ib', { from: SERVER }, [preview]));
    },
    sendWaiting,
    wentAway() {
      flowing = false;
    },
  };
}

function isAcknowledgedBy({ tag, attrs }: Stanza, ack: Stanza): boolean {
  if (ack.attrs.id !== attrs.id) return false;
  if (ack.tag === 'receipt') return tag === 'message' && ack.attrs.type !== 'retry';
  return ack.attrs.class === tag && (tag === 'message' || ack.attrs.type === attrs.type);
}
