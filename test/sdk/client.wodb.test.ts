import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Wotp, WotpConnectionError, WotpError } from '../../sdk/src/index.ts';
import { makeKey } from '../support/keys.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
let wotp: Wotp;

beforeAll(async () => {
  server = await startTestApp();
  otp = verificationsOf(server);
  wotp = clientWith();
});
afterAll(() => server.stop());

function clientWith(options: { fetch?: typeof fetch; apiKey?: string; maxRetries?: number } = {}): Wotp {
  return new Wotp({ baseUrl: server.address, apiKey: server.key, ...options });
}

/** A network on which the first answers are lost, after the server has acted. */
function losing(answers: number): typeof fetch & { calls: number } {
  const send = async (...request: Parameters<typeof fetch>) => {
    send.calls += 1;
    const answer = await fetch(...request);
    if (send.calls <= answers) throw new TypeError('fetch failed');
    return answer;
  };
  send.calls = 0;
  return send;
}

/** A network on which a proxy answers first, so many times. */
function behindProxy(
  status: number,
  times: number,
  body = '<h1>Bad gateway</h1>',
  headers: Record<string, string> = {},
) {
  const send = async (...request: Parameters<typeof fetch>) => {
    send.calls += 1;
    return send.calls <= times ? new Response(body, { status, headers }) : fetch(...request);
  };
  send.calls = 0;
  return send;
}

async function refusal(promise: Promise<unknown>): Promise<WotpError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WotpError);
  return error as WotpError;
}

async function codeOn(phone: string): Promise<string> {
  await server.clock.advance(2_000);
  const [message] = await otp.inbox(phone);
  return /\d{6}/.exec(message!.text)![0];
}

describe('a verification', () => {
  test('is sent, read, and verified by the code that arrived', async () => {
    const phone = newPhone();
    const sent = await wotp.otp.send({ phone, purpose: 'login' });
    expect(sent).toMatchObject({ phone, purpose: 'login', status: 'pending' });
    const code = await codeOn(phone);
    expect((await wotp.otp.get(sent.id)).timeline.map(({ status }) => status)).toContain('delivered');
    expect(await wotp.otp.verify({ id: sent.id, code })).toMatchObject({ valid: true, id: sent.id, phone });
  });

  test('rejects a wrong code with how many are left, and a used one', async () => {
    const phone = newPhone();
    const { id } = await wotp.otp.send({ phone });
    const code = await codeOn(phone);
    const wrong = code === '000000' ? '111111' : '000000';
    const error = await refusal(wotp.otp.verify({ id, code: wrong }));
    expect(error).toMatchObject({ code: 'OTP_INCORRECT', status: 422, attemptsRemaining: 4 });
    expect(error.requestId).toMatch(/^\S+$/);
    await wotp.otp.verify({ id, code });
    expect(await refusal(wotp.otp.verify({ id, code }))).toMatchObject({ code: 'OTP_NOT_FOUND' });
  });

  test('is sent again, and canceled', async () => {
    const { id } = await wotp.otp.send({ phone: newPhone() });
    const early = await refusal(wotp.otp.resend(id));
    expect(early).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED', status: 429 });
    expect(early.retryAfterSeconds).toBeGreaterThan(5);
    await server.clock.advance(31_000);
    expect(await wotp.otp.resend(id)).toMatchObject({ id, status: 'pending' });
    expect(await refusal(wotp.otp.next(id))).toMatchObject({ code: 'CONFLICT' });
    expect(await wotp.otp.cancel(id)).toMatchObject({ id, status: 'canceled' });
  });

  test('is found in the list, whose pages are read as one goes', async () => {
    const phone = newPhone();
    const ids: string[] = [];
    for (const purpose of ['a', 'b', 'c']) {
      ids.unshift((await wotp.otp.send({ phone, purpose })).id);
      await server.clock.advance(31_000);
    }
    const found: string[] = [];
    for await (const { id } of wotp.pages<{ id: string }>('/otp', { phone, limit: 2 })) found.push(id);
    expect(found).toEqual(ids);
    for await (const { id } of wotp.otp.list({ phone })) {
      expect(id).toBe(ids[0]);
      break;
    }
  });
});

describe('a request without an answer', () => {
  test('is repeated, and has one effect', async () => {
    const network = losing(2);
    const phone = newPhone();
    const sent = await clientWith({ fetch: network }).otp.send({ phone });
    expect(network.calls).toBe(3);
    await server.clock.advance(2_000);
    expect((await otp.inbox(phone)).map(({ id }) => id)).toEqual([sent.messageId]);
  });

  test('is given up after the last repetition', async () => {
    const network = losing(99);
    const lost = clientWith({ fetch: network, maxRetries: 1 }).otp.get('ver_01jd3x8zq2e6v9k5m7n0p4r8st');
    await expect(lost).rejects.toThrow(WotpConnectionError);
    expect(network.calls).toBe(2);
  });

  test('is not repeated where it checked a code: the server may have taken it', async () => {
    const phone = newPhone();
    const { id } = await wotp.otp.send({ phone });
    const code = await codeOn(phone);
    const network = losing(1);
    await expect(clientWith({ fetch: network }).otp.verify({ id, code })).rejects.toThrow(
      WotpConnectionError,
    );
    expect(network.calls).toBe(1);
    expect((await wotp.otp.get(id)).status).toBe('verified');
  });

  test('ends at once with the reason of the signal that gives it up', async () => {
    const controller = new AbortController();
    controller.abort(new Error('not needed any more'));
    const given = wotp.otp.send({ phone: newPhone() }, { signal: controller.signal });
    await expect(given).rejects.toThrow('not needed any more');
  });
});

describe('an answer', () => {
  test('of a proxy in front of the server is repeated while that may help', async () => {
    const network = behindProxy(502, 2);
    expect(await clientWith({ fetch: network }).otp.send({ phone: newPhone() })).toMatchObject({
      status: 'pending',
    });
    expect(network.calls).toBe(3);
    const forbidding = clientWith({ fetch: behindProxy(403, 1) });
    expect(await refusal(forbidding.otp.send({ phone: newPhone() }))).toMatchObject({
      code: 'UNEXPECTED_ANSWER',
      status: 403,
    });
  });

  test('that asks to come again later is obeyed when that is soon, a check of a code too', async () => {
    const phone = newPhone();
    const { id } = await wotp.otp.send({ phone });
    const code = await codeOn(phone);
    const full = (seconds: number) =>
      behindProxy(503, 1, '{"code":"QUEUE_FULL","detail":"Full."}', { 'retry-after': String(seconds) });
    const later = full(60);
    expect(await refusal(clientWith({ fetch: later }).otp.verify({ id, code }))).toMatchObject({
      code: 'QUEUE_FULL',
      retryAfterSeconds: 60,
    });
    expect(later.calls).toBe(1);
    expect(await clientWith({ fetch: full(0) }).otp.verify({ id, code })).toMatchObject({ valid: true });
  });

  test('that is a refusal names what is wrong', async () => {
    const invalid = await refusal(wotp.otp.send({ phone: newPhone(), length: 99 }));
    expect(invalid).toMatchObject({ code: 'VALIDATION_ERROR', status: 400, errors: [{ path: 'length' }] });
    const { key } = await makeKey(server, ['otp:verify']);
    const forbidden = clientWith({ apiKey: key }).otp.send({ phone: newPhone() });
    expect(await refusal(forbidden)).toMatchObject({ code: 'FORBIDDEN', requiredPermission: 'otp:send' });
    expect(await refusal(clientWith({ apiKey: 'wotp_none' }).otp.cancel('x'))).toMatchObject({ status: 401 });
  });
});

test('every other operation is there, with the types of the document', async () => {
  expect(await wotp.call({ method: 'GET', path: '/stats' })).toMatchObject({ queued: expect.any(Number) });
});

test('a client without an address or a key is refused when it is made', () => {
  expect(() => new Wotp({ baseUrl: 'verify.example.com', apiKey: 'wotp_1' })).toThrow('https://');
  expect(() => new Wotp({ baseUrl: 'file:///etc', apiKey: 'wotp_1' })).toThrow('baseUrl');
  expect(() => new Wotp({ baseUrl: server.address, apiKey: '' })).toThrow('wotp token create');
});

test('a server under a path of its own address is called there', async () => {
  const called: string[] = [];
  const network = async (url: string | URL | globalThis.Request) => {
    called.push(String(url));
    return Response.json({ success: true, data: {} });
  };
  await new Wotp({ baseUrl: 'https://example.com/wotp', apiKey: 'wotp_1', fetch: network }).otp.get('ver_1');
  expect(called).toEqual(['https://example.com/wotp/api/v1/otp/ver_1']);
});
