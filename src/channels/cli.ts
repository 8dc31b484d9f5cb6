import { Argument, type Command } from 'commander';
import type { ApiClient } from '../cli/api-client.ts';
import { command, print } from '../cli/command.ts';
import { tableOfFilled } from '../cli/table.ts';
import { isOnItsWay, sendingServer, sendTestMessage, type TestMessage } from '../cli/test-message.ts';
import { CHANNEL_NAMES } from '../messages/channel.ts';
import type { ChannelState } from './states.ts';

/** What a receipt is called before the channel reports any. */
const RECEIPTS = { none: 'none', delivered: 'delivered', read: 'delivered and read' } as const;

export function channelCommand(): Command {
  const channel = command(
    'channel',
    'List and test the channels',
    'wotp channel list',
    'wotp channel test email jo@example.com',
  );

  channel.addCommand(
    command('list', 'List the channels and their state', 'wotp channel list', 'wotp channel list --json')
      .option('--json', 'print one line of JSON')
      .action(async ({ json }: { json?: boolean }) => {
        const channels = await listChannels(await sendingServer());
        print(json, { channels }, channelTable(channels));
      }),
  );

  channel.addCommand(
    command(
      'test',
      'Send a real code by one channel and follow it',
      'wotp channel test email jo@example.com',
      'wotp channel test whatsapp +6283834946034',
    )
      .addArgument(
        new Argument('<name>', 'the channel').choices(CHANNEL_NAMES.filter((name) => name !== 'simulator')),
      )
      .argument('<to>', 'your own phone number with its country code, or your e-mail address')
      .option('--message <text>', 'a text of your own, with {{code}} in it')
      .option('--json', 'print one line of JSON')
      .action(async (name: string, to: string, { message, json }: { message?: string; json?: boolean }) => {
        const api = await sendingServer();
        const { receipts, details } = await showChannel(api, name);
        const address = name === 'email' ? { email: to } : { phone: to };
        const sent = await sendTestMessage(
          api,
          { ...address, channel: name, purpose: 'channel-test', message },
          { untilDelivered: receipts !== null && receipts !== 'none' },
        );
        const { id, messageId, channel: by, messageStatus, reason, timeline } = sent;
        const shown = timeline.map(({ at, status, reason: why }) => ({ at, status, reason: why }));
        print(
          json,
          { id, messageId, name, to, channel: by, messageStatus, reason, timeline: shown, details },
          [...details, story(name, sent)].join('\n'),
        );
        if (!isOnItsWay(sent)) process.exitCode = 1;
      }),
  );
  return channel;
}

async function listChannels(api: ApiClient): Promise<ChannelState[]> {
  const { data } = await api.call<{ data: ChannelState[] }>('GET', '/api/v1/channels');
  return data;
}

/** The channel with what its provider reports about the sender. */
async function showChannel(api: ApiClient, name: string): Promise<ChannelState & { details: string[] }> {
  const path = `/api/v1/channels/${encodeURIComponent(name)}`;
  return (await api.call<{ data: ChannelState & { details: string[] } }>('GET', path)).data;
}

function channelTable(channels: readonly ChannelState[]): string {
  const rows = channels.map(({ name, state, route, receipts, reason }) => [
    route === null ? '' : String(route),
    name,
    state,
    receipts === null ? '' : RECEIPTS[receipts],
    reason ?? '',
  ]);
  return tableOfFilled(['route', 'channel', 'state', 'receipts', 'reason'], rows);
}

/** What became of a test message, one line for each change. */
function story(name: string, { phone, email, channel, messageStatus, timeline }: TestMessage): string {
  const by = channel === 'simulator' ? `${name}, played by the virtual phone (mock mode),` : name;
  const lines = timeline.map(({ at, status, reason }) => {
    const time = at.slice(11, 23);
    return `  ${time}  ${status}${reason === null ? '' : `: ${reason}`}`;
  });
  return [`The message to ${phone ?? email} by ${by} is ${messageStatus}.`, ...lines].join('\n');
}
