import { setTimeout as sleep } from 'node:timers/promises';
import { PROGRAM } from '../lib/program.ts';
import { type ApiClient, runningServer } from './api-client.ts';
import { settings } from './command.ts';
import { CommandError } from './command-error.ts';

const POLL_MS = 250;
/** A message that takes longer goes on without us, in ms. */
const FOLLOWED_MAX_MS = 30_000;
const UNDER_WAY = ['queued', 'sending'];
const ARRIVING = ['sent', 'delivered', 'read'];

/** A verification whose one message is followed, as the API answers it. */
interface Verification {
  id: string;
  messageId: string;
  phone?: string;
  email?: string;
  channel: string;
  messageStatus: string;
  timeline: { at: string; messageId: string; status: string; reason: string | null }[];
}

/** A test message, and what became of it. */
export interface TestMessage extends Verification {
  /** The latest reason of its status; null where there is none. */
  reason: string | null;
}

/** Whether the provider has taken a test message. */
export const isOnItsWay = ({ messageStatus }: { messageStatus: string }): boolean =>
  ARRIVING.includes(messageStatus);

/**
 * The server that sends test messages.
 * @throws CommandError where none runs here
 */
export async function sendingServer(): Promise<ApiClient> {
  const api = await runningServer(settings());
  if (!api) throw new CommandError(`No server is running here. Start one with \`${PROGRAM} serve\`.`);
  return api;
}

/**
 * Sends a code, and follows it until the channel has taken it or will not, for 30 seconds at most.
 * @param body of the send
 * @param untilDelivered waits for the receipt as well
 */
export async function sendTestMessage(
  api: ApiClient,
  body: object,
  { untilDelivered = false } = {},
): Promise<TestMessage> {
  const { data: sent } = await api.call<{ data: Verification }>('POST', '/api/v1/otp/send', body);
  const end = performance.now() + FOLLOWED_MAX_MS;
  const passing = untilDelivered ? [...UNDER_WAY, 'sent'] : UNDER_WAY;
  for (;;) {
    const path = `/api/v1/otp/${encodeURIComponent(sent.id)}`;
    const { data } = await api.call<{ data: Verification }>('GET', path);
    if (!passing.includes(data.messageStatus) || performance.now() > end) {
      const timeline = data.timeline.filter(({ messageId }) => messageId === data.messageId);
      return { ...data, timeline, reason: timeline.at(-1)?.reason ?? null };
    }
    await sleep(POLL_MS);
  }
}
