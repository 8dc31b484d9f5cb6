import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { NO_NUMBER } from '../channels/selection.ts';
import { PROGRAM } from '../program.ts';
import { type ApiClient, runningServer } from './api-client.ts';
import { command, print, settings } from './command.ts';
import { CommandError, RefusalError } from './command-error.ts';

const POLL_MS = 250;
/** A message that waits for longer goes on waiting without us, in ms. */
const FOLLOWED_MAX_MS = 30_000;
const UNDER_WAY = ['queued', 'sending'];
const ARRIVING = ['sent', 'delivered', 'read'];

interface Sent {
  id: string;
  messageId: string;
  phone: string;
  channel: string;
  messageStatus: string;
}

interface Followed extends Sent {
  timeline: { messageId: string; reason: string | null }[];
}

/** `wotp bot send`: a code to a number of one's own, to see that sending works. */
export function botSendCommand(): Command {
  return command(
    'send',
    'Send a code to a number to test sending; needs the running server',
    'wotp bot send +6283834946034',
  )
    .argument('<phone>', 'the number, with its country code')
    .option('--message <text>', 'a text of your own, with {{code}} in it')
    .option('--json', 'print one line of JSON')
    .action(async (phone: string, { message, json }: { message?: string; json?: boolean }) => {
      const api = await runningServer(settings());
      if (!api)
        throw new CommandError('No server is running here, and it is the server that sends. Start it first.');
      const body = { phone, channel: 'whatsapp', purpose: 'bot-send', message };
      const { data: sent } = await api
        .call<{ data: Sent }>('POST', '/api/v1/otp/send', body)
        .catch((error: unknown) => {
          throw withWayOn(error);
        });
      const { id, messageId, channel, messageStatus, reason } = await follow(api, sent);
      const where = channel === 'simulator' ? 'on the virtual phone (mock mode)' : 'over WhatsApp';
      const words = `The message to ${sent.phone} ${where} is ${messageStatus}.${reason ? ` ${reason}` : ''}`;
      print(json, { id, messageId, phone: sent.phone, channel, messageStatus, reason }, words);
      if (!ARRIVING.includes(messageStatus)) process.exitCode = 1;
    });
}

/** Says how to link a number where that is what is missing. */
function withWayOn(error: unknown): unknown {
  if (!(error instanceof RefusalError) || error.words !== NO_NUMBER) return error;
  return new RefusalError({
    code: error.code,
    detail: `${NO_NUMBER} Link one with \`${PROGRAM} bot pair\`.`,
  });
}

/** Waits until the channel has taken the message or will not; resolves to how it stands, and the latest reason. */
async function follow(api: ApiClient, sent: Sent): Promise<Sent & { reason: string | null }> {
  const end = performance.now() + FOLLOWED_MAX_MS;
  for (;;) {
    const path = `/api/v1/otp/${encodeURIComponent(sent.id)}`;
    const { data } = await api.call<{ data: Followed }>('GET', path);
    if (!UNDER_WAY.includes(data.messageStatus) || performance.now() > end) {
      const latest = data.timeline.filter(({ messageId }) => messageId === data.messageId).at(-1);
      return { ...data, reason: latest?.reason ?? null };
    }
    await sleep(POLL_MS);
  }
}
