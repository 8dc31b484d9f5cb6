import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CloudApi, openCloudApi } from '../../../test/support/cloud-api.ts';
import {
  APP_SECRET,
  disowning,
  type GivenStatus,
  type GraphStandIn,
  refusing,
  SENDERS,
  signedByMeta,
  startGraph,
  statusChange,
  TEMPLATE,
  VERIFY_TOKEN,
  webhookOf,
} from '../../../test/support/graph-stand-in.ts';
import { cut } from '../../../test/support/provider-stand-in.ts';

let graph: GraphStandIn;
let open: CloudApi;

beforeEach(async () => {
  graph = await startGraph();
  open = await openCloudApi(graph.origin);
});
afterEach(async () => {
  await open.stop();
  await graph.stop();
});

/** Sends a message; its names. */
async function sentOne(to = '+6281234567890') {
  const message = open.message({ to });
  await open.send(message);
  return { messageId: message.id, wamid: graph.wamids.at(-1)! };
}
const status = (fields: Omit<GivenStatus, 'at'> & { at?: number }) =>
  statusChange({ at: open.clock.now(), ...fields });
const report = (...changes: unknown[]) => open.report(webhookOf(...changes));
const refusalOf = (to: string) => open.channel.refuses(to);

describe("Meta's handshake", () => {
  const ask = (token: string, more = '&hub.challenge=1158201444') =>
    open.callWebhook({ query: `?hub.mode=subscribe&hub.verify_token=${token}${more}` });

  test('gets the challenge back as it is', async () => {
    const answer = await ask(VERIFY_TOKEN);
    expect(answer).toEqual({ status: 200, type: expect.stringContaining('text/plain'), text: '1158201444' });
  });

  test.each([
    ['the wrong token', 'a-guess', undefined],
    ['no token', '', undefined],
    ['no challenge', VERIFY_TOKEN, ''],
    ['markup for a challenge', VERIFY_TOKEN, '&hub.challenge=%3Cscript%3E'],
  ])('is refused with %s', async (_what, token, more) => {
    const answer = await ask(token, more);
    expect(answer.status).toBe(403);
    expect(answer.text).not.toContain('1158201444');
  });

  test('is refused in another mode, and where no token is set', async () => {
    const query = `?hub.mode=unsubscribe&hub.verify_token=${VERIFY_TOKEN}&hub.challenge=1`;
    expect((await open.callWebhook({ query })).status).toBe(403);
    await open.stop();
    open = await openCloudApi(graph.origin, { CLOUD_API_APP_SECRET: '', CLOUD_API_VERIFY_TOKEN: '' });
    expect((await ask('')).status).toBe(403);
  });
});

describe('a signature', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    open.callWebhook({ method: 'POST', body, headers });

  test('is checked over the very bytes, as Meta escapes them', async () => {
    const { messageId, wamid } = await sentOne();
    const value = webhookOf(status({ id: wamid, status: 'delivered', ours: messageId }));
    const { body, headers } = signedByMeta(value);
    expect(body).toContain('Zo\\u00eb');
    expect((await post(body, headers)).status).toBe(200);
    expect(open.receipts).toEqual([{ messageId, status: 'delivered' }]);
    // The same value in other bytes.
    expect((await post(JSON.stringify(value), headers)).status).toBe(401);
  });

  test('that is forged, of another kind or missing is a 401 and changes nothing', async () => {
    const { wamid } = await sentOne();
    const value = webhookOf(status({ id: wamid, status: 'failed', code: 190 }));
    const { body, headers } = signedByMeta(value);
    const good = headers['x-hub-signature-256'];
    const guesses = [
      signedByMeta(value, 'another secret').headers['x-hub-signature-256'],
      good.replace('sha256=', ''),
      good.replace('sha256=', 'sha1='),
      good.slice(0, -1),
      `${good}0`,
      'sha256=',
    ];
    for (const guess of guesses) {
      expect((await post(body, { 'x-hub-signature-256': guess })).status, guess).toBe(401);
    }
    expect((await post(body)).status).toBe(401);
    expect((await post(`${body} `, headers)).status).toBe(401);
    expect(open.receipts).toEqual([]);
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
  });

  test('is never right where no secret is set', async () => {
    await open.stop();
    open = await openCloudApi(graph.origin, { CLOUD_API_APP_SECRET: '', CLOUD_API_VERIFY_TOKEN: '' });
    const { body, headers } = signedByMeta(webhookOf(), '');
    expect((await post(body, headers)).status).toBe(401);
  });
});

describe('a status', () => {
  test('names its message by our id, and without one by the id of Meta', async () => {
    const { messageId, wamid } = await sentOne();
    await report(
      status({ id: wamid, status: 'delivered', ours: messageId }),
      status({ id: wamid, status: 'read' }),
      status({ id: wamid, status: 'read', ours: 'of-another-program' }),
    );
    expect(open.receipts).toEqual([
      { messageId, status: 'delivered' },
      { providerId: wamid, status: 'read' },
      { providerId: wamid, status: 'read' },
    ]);
  });

  test('is passed on as often and in the order in which it comes', async () => {
    const { messageId, wamid } = await sentOne();
    for (const state of ['read', 'delivered', 'sent', 'read']) {
      expect(await report(status({ id: wamid, status: state, ours: messageId }))).toBe(200);
    }
    expect(open.receipts.map((receipt) => receipt.status)).toEqual(['read', 'delivered', 'read']);
  });

  test('decides what became of a message whose answer was lost', async () => {
    graph.next(cut);
    const message = open.message();
    expect(await open.send(message)).toMatchObject({ failure: 'uncertain' });
    await report(status({ id: 'wamid.NeverAnswered', status: 'delivered', ours: message.id }));
    expect(open.receipts).toEqual([{ messageId: message.id, status: 'delivered' }]);
  });

  test('that says "sent" is passed on only where the answer was lost with the process that waited for it', async () => {
    const { messageId, wamid } = await sentOne();
    const ofAnother = open.message().id;
    await report(
      status({ id: wamid, status: 'sent', ours: messageId }),
      status({ id: 'wamid.Another', status: 'sent' }),
      status({ id: 'wamid.OfTheDead', status: 'sent', ours: ofAnother }),
    );
    expect(open.receipts).toEqual([{ messageId: ofAnother, status: 'sent' }]);
  });

  test('may be one of several in several entries', async () => {
    const [one, two] = [await sentOne(), await sentOne('+6281234567891')];
    const first = status({ id: one.wamid, status: 'delivered', ours: one.messageId });
    const second = status({ id: two.wamid, status: 'read', ours: two.messageId });
    first.value.statuses.push(...second.value.statuses);
    await open.report({
      object: 'whatsapp_business_account',
      entry: [
        { id: '1', changes: [first] },
        { id: '2', changes: [second] },
      ],
    });
    expect(open.receipts.map((receipt) => receipt.messageId)).toEqual([
      one.messageId,
      two.messageId,
      two.messageId,
    ]);
  });

  test('of a number that is not ours says nothing, unless it names our message', async () => {
    const { messageId } = await sentOne();
    await report(
      status({ id: 'wamid.Foreign', status: 'delivered', sender: '999' }),
      status({ id: 'wamid.Moved', status: 'delivered', sender: '999', ours: messageId }),
    );
    expect(open.receipts).toEqual([{ messageId, status: 'delivered' }]);
  });

  test('`failed` says why, and is remembered for the recipient for a while', async () => {
    const { messageId, wamid } = await sentOne();
    expect(refusalOf('+6281234567890')).toBeUndefined();
    await report(status({ id: wamid, status: 'failed', ours: messageId, code: 131026 }));
    const reason = expect.stringMatching(/not on WhatsApp.*131026/);
    expect(open.receipts).toEqual([{ messageId, status: 'failed', reason }]);
    expect(refusalOf('+6281234567890')).toEqual(reason);
    expect(refusalOf('+6281234567891')).toBeUndefined();
    const asked = graph.received.length;
    expect(await open.send(open.message({ to: '+6281234567890' }))).toEqual({ failure: 'permanent', reason });
    expect(graph.received.length).toBe(asked);
    await open.clock.advance(15 * 60_000);
    expect(refusalOf('+6281234567890')).toBeUndefined();
  });

  test('`failed` is remembered for the recipient also when it comes before the answer', async () => {
    graph.next(async (response, request) => {
      const ours = JSON.parse(request.body).biz_opaque_callback_data;
      await report(status({ id: 'wamid.Early', status: 'failed', ours, code: 131026 }));
      graph.honest(response, request);
    });
    await sentOne();
    expect(refusalOf('+6281234567890')).toBeDefined();
  });

  test('`failed` is remembered by the id of Meta alone too', async () => {
    const { wamid } = await sentOne();
    await report(status({ id: wamid, status: 'failed', code: 131026 }));
    expect(refusalOf('+6281234567890')).toBeDefined();
  });

  test('`failed` for a country is remembered for all its numbers', async () => {
    const { messageId, wamid } = await sentOne();
    await report(status({ id: wamid, status: 'failed', ours: messageId, code: 130497 }));
    expect(await open.send(open.message({ to: '+6281300000000' }))).toMatchObject({ failure: 'permanent' });
    expect(await open.send(open.message())).toHaveProperty('providerId');
  });

  test('`failed` without a reason, or with one that nobody knows, has failed nevertheless', async () => {
    await report(
      status({ id: 'wamid.A', status: 'failed' }),
      status({ id: 'wamid.B', status: 'failed', code: 999_999 }),
    );
    expect(open.receipts).toEqual([
      { providerId: 'wamid.A', status: 'failed', reason: expect.stringContaining('could not deliver') },
      { providerId: 'wamid.B', status: 'failed', reason: expect.stringContaining('999999') },
    ]);
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
  });

  test('`failed` for the account stops the channel once, however often it comes', async () => {
    const { messageId, wamid } = await sentOne();
    const payment = status({ id: wamid, status: 'failed', ours: messageId, code: 131042 });
    await report(payment);
    expect(open.channel.readiness()).toEqual({
      state: 'offline',
      reason: "Meta has a problem with the payment for the account (Meta's error 131042)",
    });
    await open.clock.advance(40_000);
    await report(payment);
    await open.clock.advance(20_000);
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    await report(payment);
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    expect(open.receipts).toHaveLength(3);
  });

  test('`failed` for a number stops that number', async () => {
    await report(status({ id: 'wamid.A', status: 'failed', code: 131048 }));
    await open.send(open.message());
    expect(graph.sendersUsed()).toEqual([SENDERS[1]]);
  });

  test('`failed` for a paused template stops its language', async () => {
    const { messageId, wamid } = await sentOne();
    await report(status({ id: wamid, status: 'failed', ours: messageId, code: 132015 }));
    await sentOne('+6281234567891');
    expect(graph.messages().at(-1).template.language.code).toBe('en_US');
  });
});

describe('what is not known here', () => {
  test.each([
    ['another object', { object: 'page', entry: [] }],
    ['no entries', { object: 'whatsapp_business_account' }],
    ['odd entries', { object: 'whatsapp_business_account', entry: [null, 1, {}, { changes: 'x' }] }],
    ['another field', webhookOf({ field: 'phone_number_quality_update', value: { event: 'FLAGGED' } })],
    [
      'a field without a value',
      webhookOf({ field: 'messages' }, { field: 'account_update', value: null }, 7),
    ],
    [
      'odd statuses',
      webhookOf({ field: 'messages', value: { statuses: [null, 'x', { id: 1 }, { id: 'a' }] } }),
    ],
    ['a list', []],
    ['a text', 'text'],
    ['nothing', null],
  ])('is a 200 and changes nothing: %s', async (_what, value) => {
    expect(await open.report(value)).toBe(200);
    expect(open.receipts).toEqual([]);
  });

  test('keeps nothing of the same report from being read', async () => {
    await report(
      { field: 'messages', value: { messages: [{ type: 'unsupported', errors: [{ code: 131051 }] }] } },
      status({ id: 'wamid.A', status: 'played' }),
      status({ id: 'wamid.B', status: 'deleted_by_moon' }),
      { field: 'security', value: {} },
      status({ id: 'wamid.C', status: 'delivered' }),
    );
    expect(open.receipts).toEqual([{ providerId: 'wamid.C', status: 'delivered' }]);
  });

  test('may be no JSON at all', async () => {
    const body = 'not JSON';
    const hmac = createHmac('sha256', APP_SECRET).update(body).digest('hex');
    const headers = { 'x-hub-signature-256': `sha256=${hmac}` };
    expect((await open.callWebhook({ method: 'POST', body, headers })).status).toBe(200);
  });
});

describe('the state of the template', () => {
  const update = (language: string, event: string, time?: number, template = TEMPLATE) => ({
    object: 'whatsapp_business_account',
    entry: [
      {
        id: '1',
        ...(time !== undefined && { time: Math.floor(time / 1000) }),
        changes: [
          {
            field: 'message_template_status_update',
            value: {
              event,
              message_template_id: 594425479261596,
              message_template_name: template,
              message_template_language: language,
              reason: 'NONE',
            },
          },
        ],
      },
    ],
  });

  test('takes the channel offline when no language is left, and back', async () => {
    for (const language of ['en-US', 'id', 'pt_BR']) await open.report(update(language, 'PAUSED'));
    expect(open.channel.readiness()).toEqual({
      state: 'offline',
      reason: expect.stringMatching(`the template ${TEMPLATE} \\(en-US\\) is paused`),
    });
    await open.clock.advance(60 * 60_000);
    expect(open.channel.readiness().state).toBe('offline');
    await open.report(update('en-US', 'APPROVED'));
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    await sentOne();
    expect(graph.messages().at(-1).template.language.code).toBe('en_US');
  });

  test('says nothing of another template, of another language, or in a word that is not known', async () => {
    for (const language of ['en_US', 'id', 'pt_BR']) {
      await open.report(update(language, 'DISABLED', undefined, 'another'));
      await open.report(update(language, 'DANCING'));
      await open.report(update(language, 'FLAGGED'));
    }
    await open.report(update('de', 'DISABLED'));
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    await sentOne();
    expect(graph.messages().at(-1).template.language.code).toBe('id');
  });

  test('that is older than what is known changes nothing', async () => {
    const now = open.clock.now();
    await open.report(update('id', 'APPROVED', now - 1_000));
    await open.report(update('id', 'DISABLED', now - 60_000));
    await sentOne();
    expect(graph.messages().at(-1).template.language.code).toBe('id');
  });

  test('that is good again ends what a refused message said of it', async () => {
    graph.next(refusing(132015));
    await sentOne();
    await open.clock.advance(1_000);
    await open.report(update('id', 'APPROVED', open.clock.now()));
    await sentOne();
    expect(graph.messages().map(({ template }) => template.language.code)).toEqual(['id', 'en_US', 'id']);
  });
});

describe('"I did not request this"', () => {
  test('names the message by our id where it is remembered, else by the id of Meta', async () => {
    const { messageId, wamid } = await sentOne();
    await report(disowning(wamid), disowning('wamid.Older'));
    expect(open.receipts).toEqual([
      { messageId, status: 'disowned' },
      { providerId: 'wamid.Older', status: 'disowned' },
    ]);
  });

  test('is no other button, and no text that says so', async () => {
    const other = disowning('wamid.A');
    other.value.messages[0]!.button.payload = 'YES';
    const text = disowning('wamid.A');
    text.value.messages[0]!.type = 'text';
    await report(other, text);
    expect(open.receipts).toEqual([]);
  });
});
