import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CloudApi, openCloudApi } from '../../../test/support/cloud-api.ts';
import {
  ACCOUNT,
  type GraphStandIn,
  refusing,
  SENDERS,
  startGraph,
  TEMPLATE,
} from '../../../test/support/graph-stand-in.ts';
import { answering, cut, cutInAnswer, silence } from '../../../test/support/provider-stand-in.ts';
import type { SendError } from '../../messages/channel.ts';

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

const [FIRST, SECOND] = SENDERS;
const sent = () => open.send();
const accepted = () => ({ providerId: graph.wamids.at(-1) });

test('what Meta is asked for and does not answer in time is said to be so', async () => {
  const asked = open.channel.about(AbortSignal.abort());
  await expect(asked).resolves.toEqual(SENDERS.map((id) => `Number ${id}: Meta did not answer in time.`));
  graph.next(silence);
  graph.next(silence);
  const stop = new AbortController();
  const silent = open.channel.about(stop.signal);
  while (graph.received.length < SENDERS.length) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await expect(silent).resolves.toEqual(SENDERS.map((id) => `Number ${id}: Meta did not answer in time.`));
});

describe('a message', () => {
  test('is the template with the code in its body and in its button', async () => {
    const message = open.message({ to: '+6281234567890', code: 'J4FPNY' });
    expect(await open.send(message)).toEqual(accepted());
    const [request] = graph.received;
    expect(request).toMatchObject({ method: 'POST', path: `/v25.0/${FIRST}/messages` });
    expect(JSON.parse(request!.body)).toEqual({
      messaging_product: 'whatsapp',
      recipient_type: 'individual',
      to: '+6281234567890',
      type: 'template',
      template: {
        name: TEMPLATE,
        language: { code: 'id' },
        components: [
          { type: 'body', parameters: [{ type: 'text', text: 'J4FPNY' }] },
          { type: 'button', sub_type: 'url', index: '0', parameters: [{ type: 'text', text: 'J4FPNY' }] },
        ],
      },
      biz_opaque_callback_data: message.id,
    });
  });

  test.each([
    ['+6281234567890', undefined, 'id'],
    ['+6281234567890', 'pt-BR', 'pt_BR'],
    ['+5531912345678', 'sw', 'pt_BR'],
    ['+254712345678', 'sw', 'en_US'],
    ['+881612345678', undefined, 'en_US'],
  ])('to %s with the locale %s is in %s', async (to, locale, language) => {
    await open.send(open.message({ to, ...(locale !== undefined && { locale }) }));
    expect(graph.messages()[0].template.language.code).toBe(language);
  });

  test.each(['accepted', 'held_for_quality_assessment', undefined])(
    'that Meta answers with the status %s is taken',
    async (message_status) => {
      graph.next(answering(200, { messages: [{ id: 'wamid.A', message_status }] }));
      expect(await sent()).toEqual({ providerId: 'wamid.A' });
      expect(open.told.length).toBe(message_status === 'held_for_quality_assessment' ? 1 : 0);
    },
  );

  test('without a code, or with one that is too long, is refused without a request', async () => {
    const { code: _, ...plain } = open.message();
    expect(await open.send(plain)).toMatchObject({ failure: 'permanent' });
    expect(await open.send(open.message({ code: '1234567890123456' }))).toMatchObject({
      failure: 'permanent',
    });
    expect(graph.received).toEqual([]);
  });
});

describe('an error', () => {
  const again = { failure: 'temporary' };
  test.each([
    [131026, 'permanent', 'not on WhatsApp'],
    [131021, 'permanent', 'the recipient is the sending number'],
    [130403, 'permanent', 'blocked'],
    [130497, 'permanent', 'country'],
  ])('%i of the recipient ends the message and nothing else', async (code, failure, words) => {
    graph.next(refusing(code));
    expect(await sent()).toEqual({
      failure,
      reason: expect.stringMatching(`${words}.*\\(Meta's error ${code}\\)$`),
    });
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    expect(open.told).toEqual([]);
    expect(await open.send(open.message({ to: '+6281234567890' }))).toEqual(accepted());
  });

  test.each([100, 131008, 131009, 131030, 131047, 131049, 130472, 131050, 131051, 131062])(
    '%i of ours ends the message, and the operator is told',
    async (code) => {
      graph.next(refusing(code));
      expect(await sent()).toMatchObject({ failure: 'permanent' });
      expect(open.channel.readiness()).toEqual({ state: 'ready' });
      expect(open.told).toEqual([expect.stringContaining(`"code":${code}`)]);
      expect(await sent()).toEqual(accepted());
    },
  );

  test.each([
    0, 3, 10, 190, 200, 299, 368, 131005, 131031, 131042, 131064, 132000, 132005, 132007, 132012, 132018,
  ])('%i of the account stops the channel until it has been set right', async (code) => {
    graph.next(refusing(code));
    expect(await sent()).toMatchObject({ failure: 'unavailable', retryAfterMs: 60_000 });
    expect(open.channel.readiness()).toEqual({
      state: 'offline',
      reason: expect.stringContaining(`(Meta's error ${code})`),
    });
    expect(open.channel.waitReason).toBe(open.channel.readiness().reason);
    expect(open.told).toHaveLength(1);
    // Nobody else's message is tried meanwhile.
    expect(await sent()).toMatchObject({ failure: 'unavailable' });
    expect(graph.received).toHaveLength(1);
    await open.clock.advance(60_000);
    // One message finds out, and then all go on.
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    expect(open.channel.capabilities.concurrency).toBe(1);
    expect(await sent()).toEqual(accepted());
    expect(open.channel.capabilities.concurrency).toBe(40);
  });

  test('that stays stops the channel for longer each time, up to 5 minutes', async () => {
    graph.always(refusing(190));
    const waits: unknown[] = [];
    for (let count = 0; count < 5; count++) {
      const { retryAfterMs } = (await sent()) as Partial<SendError>;
      waits.push(retryAfterMs);
      await open.clock.advance(retryAfterMs!);
    }
    expect(waits).toEqual([60_000, 120_000, 240_000, 300_000, 300_000]);
  });

  test.each([
    [131045, undefined],
    [133010, undefined],
    [100, 33],
    [131037, undefined],
    [131048, undefined],
  ])('%i/%s of a number moves messages to the next number', async (code, subcode) => {
    graph.next(refusing(code, subcode === undefined ? {} : { subcode }));
    expect(await sent()).toEqual(accepted());
    expect(await sent()).toEqual(accepted());
    expect(graph.sendersUsed()).toEqual([FIRST, SECOND, SECOND]);
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    expect(open.told).toEqual([expect.stringContaining(FIRST)]);
    await open.clock.advance(60_000);
    await sent();
    expect(graph.sendersUsed().at(-1)).toBe(FIRST);
  });

  test('of every number takes the channel offline, and says why', async () => {
    graph.next(refusing(133010), refusing(131048));
    expect(await sent()).toEqual({
      failure: 'unavailable',
      reason: expect.stringMatching(/not registered.*133010.*; .*spam.*131048/),
      retryAfterMs: 60_000,
    });
    expect(open.channel.readiness().state).toBe('offline');
  });

  test.each([
    [1, 2],
    [2, 3],
    [131016, 3],
    [133004, 3],
    [131000, 1],
    [135000, 1],
  ])('%i is tried again %i times, and then the message has failed', async (code, tries) => {
    graph.always(refusing(code, { status: 500 }));
    const message = open.message();
    for (let count = 0; count < tries; count++) {
      expect(await open.send(message)).toMatchObject(again);
    }
    expect(await open.send(message)).toMatchObject({ failure: 'permanent' });
    // Other messages have tries of their own.
    expect(await sent()).toMatchObject(again);
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
  });

  test('that nobody knows is judged by its HTTP status', async () => {
    graph.next(refusing(999_001), refusing(999_002, { status: 503 }), refusing(999_003, { status: 429 }));
    expect(await sent()).toMatchObject({ failure: 'permanent' });
    expect(await sent()).toMatchObject(again);
    expect(await sent()).toMatchObject(again);
    graph.next(refusing(999_004, { status: 403 }));
    expect(await sent()).toMatchObject({ failure: 'unavailable' });
    expect(open.channel.readiness().state).toBe('offline');
  });

  test('132001 of a language is sent in another one, once', async () => {
    graph.approved.delete('id');
    const message = open.message({ to: '+6281234567890' });
    expect(await open.send(message)).toEqual(accepted());
    expect(graph.messages().map(({ template }) => template.language.code)).toEqual(['id', 'en_US']);
    expect(open.told).toEqual([expect.stringContaining('132001')]);
    // The language is left alone from now on.
    await open.send(open.message({ to: '+6281234567891' }));
    expect(graph.messages().at(-1).template.language.code).toBe('en_US');
    graph.approved.clear();
    expect(await sent()).toMatchObject({ failure: 'unavailable', reason: expect.stringContaining('pt_BR') });
    expect(open.channel.readiness()).toMatchObject({ state: 'offline' });
  });

  test.each([132015, 132016])('%i stops a language, and the channel with its last one', async (code) => {
    graph.always(refusing(code));
    expect(await sent()).toMatchObject({ failure: 'permanent' });
    expect(await sent()).toMatchObject({ failure: 'unavailable' });
    expect(open.channel.readiness()).toMatchObject({
      state: 'offline',
      reason: expect.stringMatching(`${TEMPLATE}.*en_US.*${code}`),
    });
  });

  test('says nothing of the recipient or the code in the log', async () => {
    const { to, code } = open.message();
    graph.next(answering(400, { error: { code: 100, message: `(#100) ${to} ${code} ${to.slice(1)}` } }));
    await sent();
    expect(open.told).toHaveLength(1);
    for (const secret of [to.slice(1), code!]) expect(open.told.join()).not.toContain(secret);
  });
});

describe('an answer that is lost', () => {
  const lost = { failure: 'uncertain', reason: expect.stringContaining('the answer was lost') };

  test('with the connection is not asked for again: Meta may have the message', async () => {
    graph.next(cut);
    expect(await sent()).toEqual(lost);
    graph.next((response, request) => {
      graph.honest({ writeHead: () => ({ end() {} }) } as never, request);
      response.socket?.destroy();
    });
    expect(await sent()).toEqual(lost);
    graph.next(cutInAnswer(200));
    expect(await sent()).toEqual(lost);
    expect(graph.received).toHaveLength(3);
  });

  test('by silence is not asked for again', async () => {
    graph.next(silence);
    const arrival = graph.arrival();
    const sending = sent();
    await arrival;
    await open.clock.advance(10_000);
    expect(await sending).toEqual(lost);
    expect(graph.received).toHaveLength(1);
  });

  test.each([
    ['of a gateway that gave up', answering(504, '<html>')],
    ['of a bad gateway', answering(502, '<html>')],
    ['that is no JSON', answering(200, '<html>Sign in to this network</html>')],
    ['that names no message', answering(200, { messages: [] })],
  ])('%s is none', async (_what, reaction) => {
    graph.next(reaction);
    expect(await sent()).toMatchObject({ failure: 'uncertain' });
    expect(graph.received).toHaveLength(1);
  });

  test('in the middle of a refusal is a refusal', async () => {
    graph.next(cutInAnswer(503));
    expect(await sent()).toMatchObject({ failure: 'temporary' });
  });

  test('because the server stops is not asked for again either', async () => {
    graph.next(silence);
    const arrival = graph.arrival();
    const stop = new AbortController();
    const sending = open.send(open.message(), stop.signal);
    await arrival;
    stop.abort(new Error('stopping'));
    expect(await sending).toEqual(lost);
  });
});

describe('the Graph API', () => {
  test.each([408, 425, 500, 503])('with HTTP %i and no error of its own is tried again', async (status) => {
    graph.next(answering(status, 'Sorry', { 'retry-after': '5' }));
    expect(await sent()).toMatchObject({ failure: 'temporary', retryAfterMs: 5_000 });
  });

  test.each([302, 401, 403, 404])('that answers as another server (%i) stops the channel', async (status) => {
    graph.next(answering(status, '<html>'));
    expect(await sent()).toMatchObject({ failure: 'unavailable' });
    expect(open.channel.readiness()).toMatchObject({
      state: 'offline',
      reason: expect.stringContaining('CLOUD_API_BASE_URL'),
    });
  });

  test('that cannot be reached costs the message no try', async () => {
    await graph.stop();
    expect(await sent()).toEqual({
      failure: 'unavailable',
      reason: 'the WhatsApp Cloud API cannot be reached',
      retryAfterMs: 2_000,
    });
    expect(open.channel.readiness()).toMatchObject({ state: 'waiting' });
    expect(open.told).toHaveLength(1);
  });

  test('with the wrong token takes the channel offline', async () => {
    await open.stop();
    open = await openCloudApi(graph.origin, { CLOUD_API_TOKEN: 'an-old-token' });
    expect(await sent()).toMatchObject({ failure: 'unavailable' });
    expect(open.channel.readiness()).toEqual({
      state: 'offline',
      reason: "CLOUD_API_TOKEN is invalid or has expired (Meta's error 190)",
    });
    expect(open.told.join()).not.toContain('an-old-token');
  });

  test('says at the start and from time to time in which state the template is', async () => {
    await open.stop();
    open = await openCloudApi(graph.origin, { CLOUD_API_ACCOUNT_ID: ACCOUNT });
    const states = (...data: object[]) => answering(200, { data });
    const of = (language: string, status: string, name = TEMPLATE) => ({ name, language, status });
    graph.next(states(of('en_US', 'PAUSED'), of('id', 'REJECTED'), of('pt_BR', 'DISABLED', `${TEMPLATE}_2`)));
    await open.readStates();
    expect(graph.received[0]!.path).toContain(`/v25.0/${ACCOUNT}/message_templates?name=${TEMPLATE}`);
    // Nothing is known against the third.
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
    await sent();
    expect(graph.messages().at(-1).template.language.code).toBe('pt_BR');
    await open.clock.advance(1_000);
    graph.next(states(of('pt_BR', 'DISABLED')));
    await open.readStates();
    expect(open.channel.readiness()).toMatchObject({
      state: 'offline',
      reason: expect.stringContaining('paused'),
    });
    await open.clock.advance(1_000);
    graph.next(refusing(200, { status: 403 }), states());
    await expect(open.readStates()).rejects.toThrow('HTTP 403');
    await open.readStates();
    expect(open.channel.readiness().state).toBe('offline');
    await open.readStates();
    expect(open.channel.readiness()).toEqual({ state: 'ready' });
  });
});

describe('the channel', () => {
  test('has receipts only where they can be believed', async () => {
    expect(open.channel.capabilities.receipts).toBe('read');
    await open.stop();
    open = await openCloudApi(graph.origin, { CLOUD_API_APP_SECRET: '', CLOUD_API_VERIFY_TOKEN: '' });
    expect(open.channel.capabilities.receipts).toBe('none');
  });
});
