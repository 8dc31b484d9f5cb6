// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so the file of providers refers to the environment
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { providersFile } from '../support/http-providers.ts';
import { expectProblem } from '../support/problem.ts';
import { answering, cut, type ProviderStandIn, startProvider } from '../support/provider-stand-in.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';

const SECRET = 'the-secret-of-acme';
const TOKEN = 'the-token-of-quiet';
const ACME = '/api/v1/channels/http/acme/callback';
const QUIET = '/api/v1/channels/http/quiet/callback';

let server: TestApp;
let provider: ProviderStandIn;
let file: ReturnType<typeof providersFile>;
let env: Record<string, string>;
let phones = 0;

beforeAll(async () => {
  provider = await startProvider();
  const common = {
    url: `${provider.origin}/send`,
    success: { where: [{ path: 'ok', in: [true] }] },
    messageId: 'id',
  };
  const callback = {
    messageId: 'id',
    status: 'state',
    map: { DELIVRD: 'delivered', SEEN: 'read', UNDELIV: 'failed' },
  };
  file = providersFile({
    providers: [
      {
        ...common,
        name: 'acme',
        channel: 'sms',
        json: { to: '{{to}}', text: '{{text}}', ref: '{{messageId}}', url: '{{callbackUrl}}' },
        callback: {
          ...callback,
          signature: {
            header: 'x-signature',
            algorithm: 'hmac-sha256',
            encoding: 'hex',
            secret: '${ACME_SECRET}',
          },
        },
      },
      {
        ...common,
        name: 'quiet',
        channel: 'http',
        form: { code: '{{code}}' },
        callback: { ...callback, token: TOKEN },
      },
    ],
  });
  env = {
    BOT_MOCK_MODE: 'false',
    PROVIDERS_FILE: file.path,
    PROVIDERS_ALLOWED_ADDRESSES: '127.0.0.1',
    ACME_SECRET: SECRET,
  };
  server = await startTestApp({ env });
});
afterAll(async () => {
  await server.stop();
  await provider.stop();
  file.remove();
});
beforeEach(() => {
  // The provider calls a message as we do.
  provider.always((response, { body }) =>
    answering(200, { ok: true, id: JSON.parse(body).ref })(response, null as never),
  );
});

/** Sends a code by SMS, and resolves to its ids once the try is over. */
async function sendBySms() {
  phones += 1;
  const phone = `+62812345${String(phones).padStart(5, '0')}`;
  const { body, status, text } = await server.call('POST', 'otp/send', { body: { phone, channel: 'sms' } });
  expect(status, text).toBe(201);
  const { id, messageId } = body.data as { id: string; messageId: string };
  for (let turn = 0; turn < 500; turn++) {
    await server.clock.advance(20);
    if (!['queued', 'sending'].includes(await stateOf(id))) return { id, messageId, phone };
  }
  throw new Error('The message was not sent.');
}

interface Entry {
  status: string;
  reason: string | null;
}
async function timelineOf(id: string): Promise<Entry[]> {
  const { body } = await server.call('GET', `otp/${id}`);
  return body.data.timeline.map(({ status, reason }: Entry) => ({ status, reason }));
}
const stateOf = async (id: string) => (await timelineOf(id)).at(-1)!.status;

function report(value: unknown, headers: Record<string, string> = {}) {
  const body = JSON.stringify(value);
  const signature = createHmac('sha256', SECRET).update(body).digest('hex');
  return server.call('POST', ACME, { key: null, body, headers: { 'x-signature': signature, ...headers } });
}

/** The states a message has been in once what was reported has been written. */
async function statesAfter(id: string, last: string): Promise<string[]> {
  for (let turn = 0; turn < 500; turn++) {
    await server.clock.advance(20);
    const states = (await timelineOf(id)).map(({ status }) => status);
    if (states.at(-1) === last) return states;
  }
  return (await timelineOf(id)).map(({ status }) => status);
}

describe('a code by SMS', () => {
  test('goes to the provider, and its callbacks say what became of it', async () => {
    const { id, messageId, phone } = await sendBySms();
    const sent = JSON.parse(provider.received.at(-1)!.body);
    expect(sent).toMatchObject({ to: phone, ref: messageId, text: expect.stringMatching(/\b\d{6}\b/) });
    expect(sent.url).toBe(`${server.address}${ACME}`);
    expect((await report({ id: messageId, state: 'DELIVRD' })).body).toEqual({ success: true });
    await statesAfter(id, 'delivered');
    await report({ id: messageId, state: 'SEEN' });
    expect(await statesAfter(id, 'read')).toEqual(['queued', 'sending', 'sent', 'delivered', 'read']);
    const { body } = await server.call('POST', 'otp/verify', {
      body: { id, code: /\d{6}/.exec(sent.text)![0] },
    });
    expect(body.data).toMatchObject({ valid: true });
  });

  test('is known by the id that the provider gave it', async () => {
    provider.next(answering(200, { ok: true, id: 4711 }));
    const { id } = await sendBySms();
    await report({ id: 4711, state: 'DELIVRD' });
    expect(await statesAfter(id, 'delivered')).toEqual(['queued', 'sending', 'sent', 'delivered']);
  });

  test('that a callback says has failed has failed, and says why', async () => {
    const { id, messageId } = await sendBySms();
    await report({ id: messageId, state: 'UNDELIV' });
    await statesAfter(id, 'failed');
    expect((await timelineOf(id)).at(-1)).toEqual({ status: 'failed', reason: 'acme: UNDELIV' });
  });

  test('has one state at the end, however often and in whatever order its statuses come', async () => {
    const { id, messageId } = await sendBySms();
    for (const state of ['SEEN', 'DELIVRD', 'SEEN', 'SENT', 'DELIVRD']) {
      expect((await report({ id: messageId, state })).status).toBe(200);
    }
    expect(await statesAfter(id, 'read')).toEqual(['queued', 'sending', 'sent', 'read']);
  });

  test('whose answer is lost counts as sent, says so, and is not sent again', async () => {
    const before = provider.received.length;
    provider.next(cut);
    const { id } = await sendBySms();
    await server.clock.advance(60_000);
    expect(await timelineOf(id)).toEqual([
      { status: 'queued', reason: null },
      { status: 'sending', reason: null },
      { status: 'sent', reason: 'acme: the answer was lost' },
    ]);
    expect(provider.received.length - before).toBe(1);
  });

  test('that waits at the start is not sent before the server has the address that its callbacks come to', async () => {
    const waiting = await server.call('POST', 'otp/send', {
      body: { phone: '+6281234599999', channel: 'sms' },
    });
    const { dir, clock, key, adminPassword } = server;
    await server.stop({ keepFiles: true });
    const urls: string[] = [];
    provider.always((response, { body }) => {
      const { ref, url } = JSON.parse(body);
      urls.push(url);
      answering(200, { ok: true, id: ref })(response, null as never);
    });
    const slow = { start: () => clock.advance(5_000), stop: async () => {} };
    const more = [() => ({ name: 'slow', work: [slow] })];
    server = await startTestApp({ dir, clock, key, adminPassword, env, more });
    await sendBySms();
    expect(urls).toEqual([`${server.address}${ACME}`, `${server.address}${ACME}`]);
    expect((await timelineOf(waiting.body.data.id)).map(({ status }) => status)).toEqual([
      'queued',
      'sending',
      'sent',
    ]);
  });

  test('that the provider refuses for good has failed, and says why', async () => {
    provider.next(answering(404, { ok: false }));
    const { id } = await sendBySms();
    expect((await timelineOf(id)).at(-1)).toEqual({ status: 'failed', reason: 'acme: HTTP 404' });
  });
});

describe('a callback', () => {
  test('that is forged or unsigned is a 401 and changes nothing', async () => {
    const { id, messageId } = await sendBySms();
    const value = { id: messageId, state: 'UNDELIV' };
    const forged = createHmac('sha256', 'a guess').update(JSON.stringify(value)).digest('hex');
    expectProblem(await report(value, { 'x-signature': forged }), 'UNAUTHORIZED');
    expectProblem(await server.call('POST', ACME, { key: null, body: value }), 'UNAUTHORIZED');
    // Nor does a key of the API sign for a provider.
    expectProblem(await server.call('POST', ACME, { body: value }), 'UNAUTHORIZED');
    expect(await statesAfter(id, 'failed')).toEqual(['queued', 'sending', 'sent']);
  });

  test('about a message that nobody knows, or that nobody can name, is a 200 and changes nothing', async () => {
    const unknown = { id: 'msg_01jd3x8zq2e6v9k5m7n0p4r8st', state: 'DELIVRD' };
    for (const value of [unknown, { id: 'x', state: 'DELIVRD' }, {}, [], 'text', null]) {
      const answer = await report(value);
      expect([answer.status, answer.body]).toEqual([200, { success: true }]);
    }
  });

  test('is not held up by the limit of an address', async () => {
    for (let count = 0; count < 310; count++) expect((await report({})).status).toBe(200);
  });

  test('of an unknown provider is a 401, and for the administrator a 404', async () => {
    const path = '/api/v1/channels/http/nobody/callback';
    expectProblem(await server.call('POST', path, { key: null, body: {} }), 'UNAUTHORIZED');
    expectProblem(await server.call('POST', path, { asAdmin: true, body: {} }), 'RESOURCE_NOT_FOUND');
  });

  test('leaves no token, secret, code or number in the log', async () => {
    const { phone } = await sendBySms();
    const code = /\d{6}/.exec(JSON.parse(provider.received.at(-1)!.body).text)![0];
    const answer = await server.call('POST', `${QUIET}?token=${TOKEN}`, { key: null, body: { id: 'a' } });
    expect(answer.status).toBe(200);
    expectProblem(
      await server.call('POST', `${QUIET}?token=${TOKEN}x`, { key: null, body: {} }),
      'UNAUTHORIZED',
    );
    const log = server.logLines.join('');
    expect(log).toContain(QUIET);
    for (const secret of [TOKEN, SECRET, code, phone.slice(1)]) expect(log).not.toContain(secret);
  });
});
