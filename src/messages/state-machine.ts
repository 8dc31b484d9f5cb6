import { MESSAGE_STATUSES, type MessageStatus } from './types.ts';

/**
 * From which states a message may enter each state. States only move forward, so a late, lost or doubled receipt
 * never takes a message back; the one way back is `sending` to `queued`, when a try is given up.
 */
const ENTERED_FROM: Record<MessageStatus, readonly MessageStatus[]> = {
  queued: ['sending'],
  sending: ['queued'],
  sent: ['sending'],
  delivered: ['sending', 'sent'],
  read: ['sending', 'sent', 'delivered'],
  failed: ['queued', 'sending', 'sent'],
  expired: ['queued', 'sending'],
  canceled: ['queued', 'sending'],
};

/** The states from which `status` may be entered. */
export function statesBefore(status: MessageStatus): readonly MessageStatus[] {
  return ENTERED_FROM[status];
}

/** Whether nothing can follow. */
export function isFinal(status: MessageStatus): boolean {
  return MESSAGE_STATUSES.every((next) => !ENTERED_FROM[next].includes(status));
}
