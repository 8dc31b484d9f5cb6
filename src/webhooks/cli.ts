import { setTimeout as wait } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { ApiClient } from '../cli/api-client.ts';
import { command, print, withApi } from '../cli/command.ts';
import { CommandError } from '../cli/command-error.ts';
import { tableOfFilled } from '../cli/table.ts';
import { PROGRAM } from '../lib/program.ts';

const PATH = '/api/v1/webhooks';
/** How long `webhook test` waits for the first attempt, and how often it looks, in ms. */
const TEST_MAX_MS = 20_000;
const TEST_LOOK_MS = 200;
/** So many deliveries are shown at most. */
const SHOWN_MAX = 200;

interface Endpoint {
  id: string;
  url: string;
  events: string[];
  description: string | null;
  enabled: boolean;
  disabledReason: string | null;
  failingSince: string | null;
}

interface Delivery {
  id: string;
  eventId: string;
  type: string;
  status: string;
  attempts: { at: string; status: number | null; durationMs: number; error?: string; body?: string }[];
  nextAttemptAt: string | null;
}

interface Json {
  json?: boolean;
}

/** `webhook list|create|test|deliveries|retry`. */
export function webhookCommand(): Command {
  const webhook = command(
    'webhook',
    'Manage webhook endpoints and their deliveries',
    'wotp webhook list',
    'wotp webhook create https://app.example.com/webhooks',
  );

  webhook.addCommand(
    command('list', 'List webhook endpoints', 'wotp webhook list', 'wotp webhook list --json')
      .option('--json', 'print one line of JSON')
      .action(({ json }: Json) =>
        withApi(async (api) => {
          const { data: webhooks } = await api.call<{ data: Endpoint[] }>('GET', `${PATH}?limit=200`);
          const rows = webhooks.map((each) => [
            each.id,
            each.url,
            each.events.join(', '),
            stateOf(each),
            each.description ?? '',
          ]);
          const text =
            rows.length === 0
              ? `There is no webhook endpoint. Create one with: ${PROGRAM} webhook create URL`
              : tableOfFilled(['id', 'url', 'events', 'state', 'description'], rows);
          print(json, { webhooks }, text);
        }),
      ),
  );

  webhook.addCommand(
    command(
      'create',
      'Create a webhook endpoint and show its secret once',
      'wotp webhook create https://app.example.com/webhooks',
      'wotp webhook create https://app.example.com/webhooks --events "otp.*,message.failed"',
    )
      .argument('<url>', 'where events are sent to')
      .option('--events <list>', 'event types, separated by commas; otp.* for all of a kind, * for all', '*')
      .option('--description <text>', 'what it is for')
      .option('--json', 'print one line of JSON')
      .action((url: string, { events, description, json }: Json & { events: string; description?: string }) =>
        withApi(async (api) => {
          const types = events.split(',').map((type) => type.trim());
          const body = { url, events: types, description };
          const { data } = await api.call<{ data: Endpoint & { secret: string } }>('POST', PATH, body);
          print(
            json,
            data,
            `${data.secret}\n\nThe secret of ${data.id} is shown only now; it verifies what is sent (docs/WEBHOOKS.md).\nTry it with: ${PROGRAM} webhook test ${data.id}`,
          );
        }),
      ),
  );

  webhook.addCommand(
    command(
      'test',
      'Send a test event and show the answer of the endpoint',
      'wotp webhook test whk_01jd3x8zq2e6v9k5m7n0p4r8st',
      'wotp webhook test whk_01jd3x8zq2e6v9k5m7n0p4r8st --json',
    )
      .argument('<id>', 'the id of the endpoint, as `webhook list` shows it')
      .option('--json', 'print one line of JSON')
      .action((id: string, { json }: Json) =>
        withApi(async (api) => {
          const path = `${PATH}/${encodeURIComponent(id)}`;
          const { data: sent } = await api.call<{ data: Delivery }>('POST', `${path}/test`);
          const delivery = await firstAttemptOf(api, path, sent.id);
          const attempt = delivery.attempts.at(-1);
          if (!attempt) {
            throw new CommandError(
              'The test event was accepted but not sent within 20 seconds. It is sent while the server runs.',
            );
          }
          if (delivery.status !== 'delivered') {
            throw new CommandError(`The endpoint did not accept the test event: ${answerOf(attempt)}`);
          }
          print(json, delivery, `Delivered: ${answerOf(attempt)}`);
        }),
      ),
  );

  webhook.addCommand(
    command(
      'deliveries',
      'List what was sent to an endpoint, newest first',
      'wotp webhook deliveries whk_01jd3x8zq2e6v9k5m7n0p4r8st',
      'wotp webhook deliveries whk_01jd3x8zq2e6v9k5m7n0p4r8st --status failed',
    )
      .argument('<id>', 'the id of the endpoint')
      .addOption(new Option('--status <status>', 'only those').choices(['pending', 'delivered', 'failed']))
      .option('--json', 'print one line of JSON')
      .action((id: string, { status, json }: Json & { status?: string }) =>
        withApi(async (api) => {
          const filter = status === undefined ? '' : `&status=${status}`;
          const path = `${PATH}/${encodeURIComponent(id)}/deliveries?limit=${SHOWN_MAX}${filter}`;
          const { data: deliveries } = await api.call<{ data: Delivery[] }>('GET', path);
          const rows = deliveries.map((each) => {
            const last = each.attempts.at(-1);
            return [
              each.id,
              each.type,
              each.status,
              String(each.attempts.length),
              last ? answerOf(last) : '',
              each.nextAttemptAt ?? '',
            ];
          });
          const text =
            rows.length === 0
              ? 'Nothing was sent to this endpoint.'
              : tableOfFilled(['id', 'event', 'status', 'attempts', 'last answer', 'next attempt'], rows);
          print(json, { deliveries }, text);
        }),
      ),
  );

  webhook.addCommand(
    command(
      'retry',
      'Send one delivery again',
      'wotp webhook retry dlv_01jd3x8zq2e6v9k5m7n0p4r8st',
      'wotp webhook retry dlv_01jd3x8zq2e6v9k5m7n0p4r8st --json',
    )
      .argument('<id>', 'the id of the delivery, as `webhook deliveries` shows it')
      .option('--json', 'print one line of JSON')
      .action((id: string, { json }: Json) =>
        withApi(async (api) => {
          const path = `${PATH}/deliveries/${encodeURIComponent(id)}/retry`;
          const { data } = await api.call<{ data: Delivery }>('POST', path);
          print(json, data, `The delivery ${data.id} is sent again.`);
        }),
      ),
  );
  return webhook;
}

/** A delivery once an attempt was made, or as it is when none is made in time. */
async function firstAttemptOf(api: ApiClient, path: string, id: string): Promise<Delivery> {
  const giveUpAt = Date.now() + TEST_MAX_MS;
  for (;;) {
    const { data } = await api.call<{ data: Delivery[] }>('GET', `${path}/deliveries?limit=${SHOWN_MAX}`);
    const delivery = data.find((each) => each.id === id);
    if (!delivery) throw new CommandError('The test event is no longer stored.');
    if (delivery.attempts.length > 0 || Date.now() >= giveUpAt) return delivery;
    await wait(TEST_LOOK_MS);
  }
}

function stateOf({ enabled, disabledReason, failingSince }: Endpoint): string {
  if (!enabled) return disabledReason === null ? 'disabled' : `disabled: ${disabledReason}`;
  return failingSince === null ? 'enabled' : `failing since ${failingSince}`;
}

function answerOf({ status, error, durationMs }: Delivery['attempts'][number]): string {
  return `${status === null ? error : `HTTP ${status}`} after ${durationMs} ms`;
}
