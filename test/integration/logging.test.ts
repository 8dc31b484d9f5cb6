import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requestText, sendRaw } from '../support/raw-http.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, verificationsOf } from '../support/verifications.ts';

const PASSWORD = 'a password only tests know';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  const env = { MASTER_PASSWORD: PASSWORD, ADDRESS_LIMIT_PER_MINUTE: '100000', SIGN_IN_FAILURES_MAX: '100' };
  server = await startTestApp({ env });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

let requests = 0;

/** Makes one call and returns the access log's line about it. */
async function logged(method: string, path: string, options: Parameters<TestApp['call']>[2] = {}) {
  const id = `logged-${++requests}`;
  await server.call(method, path, { ...options, headers: { ...options.headers, 'x-request-id': id } });
  return lineOf(id);
}

function lineOf(requestId: string): Record<string, unknown> {
  const lines = server.logLines.filter(
    (line) => line.includes(`"${requestId}"`) && line.includes('"status"'),
  );
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0]!);
}

describe('the access log', () => {
  test('has one line a request that says who asked for what, from where, and what came of it', async () => {
    const line = await logged('GET', 'otp?limit=7');
    expect(line).toMatchObject({
      level: 30,
      requestId: expect.stringMatching(/^logged-/),
      method: 'GET',
      path: '/api/v1/otp',
      status: 200,
      ms: expect.any(Number),
      caller: expect.stringMatching(/^key_[0-9a-z]{26}$/),
      address: '127.0.0.1',
      msg: 'request',
    });
    expect(await logged('GET', 'otp', { asAdmin: true })).toMatchObject({ caller: 'admin', status: 200 });
    expect(await logged('GET', 'otp', { key: null })).toMatchObject({ caller: 'nobody', status: 401 });
    expect(await logged('POST', 'nothing')).toMatchObject({ method: 'POST', status: 404 });
    expect(await logged('PUT', 'keys')).toMatchObject({ status: 405 });
    expect(await logged('POST', 'otp/send', { body: '{' })).toMatchObject({ status: 400 });
  });

  test('keeps health probes at debug, so that they do not fill it', async () => {
    expect(await logged('GET', 'health/live', { key: null })).toMatchObject({ level: 20 });
    expect(await logged('GET', 'health', { key: null })).toMatchObject({ level: 20 });
  });

  test('has a line also for a request that no route can be found for', async () => {
    const headers = ['X-Request-Id: badly-encoded'];
    await sendRaw(server.address, requestText('GET /api/v1/%zz', headers));
    expect(lineOf('badly-encoded')).toMatchObject({ status: 400 });
  });

  test('leaves the query out', async () => {
    const line = await logged('GET', 'nothing?token=secret-token&phone=%2B6283834946034&code=482913');
    expect(line.path).toBe('/api/v1/nothing');
  });
});

describe('a phone number in an address', () => {
  test.each([
    '+6281234567890',
    '6281234567890',
    '%2B6281234567890',
    '+62%20812-3456-7890',
    '+62 812 3456 7890',
    '(0812)%203456-7890',
    '+62.812.3456.7890',
    '%2B%36%32%38%31%32%33%34%35%36%37%38%39%30',
    '+62%C2%A0812%C2%A03456%C2%A07890',
    encodeURIComponent('+٦٢٨١٢٣٤٥٦٧٨٩٠'),
    encodeURIComponent('＋６２８１２３４５６７８９０'),
  ])('is masked but for its last 4 digits, written as %s', async (written) => {
    const line = await logged('GET', `limits/${written}`, { asAdmin: true });
    const digits = decodeURIComponent(String(line.path)).replace(/\P{Nd}/gu, '');
    // The "1" of "v1" and the four that may be shown.
    expect(digits.length).toBeLessThanOrEqual(5);
    expect(digits).not.toContain('812345');
  });

  test('is masked wherever it stands', async () => {
    for (const path of ['nothing/6281234567890/x', 'otp/6281234567890', '/6281234567890']) {
      expect((await logged('GET', path)).path).not.toContain('281234567');
    }
  });
});

test('a key that somebody puts into an address is not in the log', async () => {
  const line = await logged('DELETE', `keys/${server.key}`);
  const secret = server.key.slice('wotp_'.length);
  for (let i = 0; i + 8 <= secret.length; i++) expect(line.path).not.toContain(secret.slice(i, i + 8));
});

describe('text of a caller', () => {
  test.each([
    ['a line break', '/x%0A{"level":30,"msg":"forged"}'],
    ['a carriage return', '/x%0d%0aforged'],
    ['a quote', '/x"}%22,"forged":"'],
    ['a backslash', '/x\\%5c'],
    ['an escape for colours', '/x%1b[31mred'],
    ['a separator of lines', '/x%e2%80%a8y'],
  ])('with %s stays inside one JSON value of one line', async (_what, path) => {
    const line = await logged('GET', path);
    expect(line.msg).toBe('request');
    expect(line).not.toHaveProperty('forged');
  });

  test('that is no ASCII cannot reach a terminal as a control character', async () => {
    const request = Buffer.from(
      requestText('GET /x\u009b31mred\u0085', ['X-Request-Id: raw-bytes']),
      'latin1',
    );
    await sendRaw(server.address, request);
    const lines = server.logLines.filter((line) => line.includes('raw-bytes'));
    expect(lines.join('')).not.toMatch(/[\u007f-\u009f\u2028\u2029]/);
  });
});

/** The whole log without times and request ids, in which any digits may stand by chance. */
function withoutChance(): string {
  return server.logLines.join('').replace(/"(time|at)":\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '');
}

describe('at the most talkative level', () => {
  const secrets = new Map<string, string>();
  let phones: string[] = [];

  beforeAll(async () => {
    const phone = newPhone();
    const failing = newPhone();
    phones = [phone, failing];
    const codes = ['482913', '730164', 'Q7WX9K'];
    for (const code of codes) secrets.set(`the code ${code}`, code);
    secrets.set('the first key', server.key);
    secrets.set('the admin password', PASSWORD);

    const [first, second, letters] = codes as [string, string, string];
    const message = 'Use {{code}}, please.';
    const { id } = await otp.sent({
      phone,
      code: first,
      message,
      metadata: { note: 'a note of the caller' },
    });
    secrets.set('metadata', 'a note of the caller');
    secrets.set('the text of a message', 'please.');
    await otp.deliver();
    await otp.check({ id, code: '111222' });
    secrets.set('a wrong code', '111222');
    await otp.check({ phone, code: first });
    await otp.sent({ phone, code: second, message, purpose: 'payment' }).catch(() => {});
    await otp.jump(60_000);
    await otp.send({ phone, code: letters, message, purpose: 'letters' });
    await otp.deliver();

    await otp.fault({ to: failing, notOnWhatsApp: true });
    await otp.send({ phone: failing, code: second, message });
    await otp.deliver();
    await otp.fault({ to: failing });

    const made = await server.call('POST', 'keys', {
      body: { name: 'a name', permissions: ['otp:read'] },
      headers: { 'idempotency-key': 'an-idempotency-key' },
    });
    secrets.set('a key that was made', made.body.data.key);
    secrets.set('an idempotency key', 'an-idempotency-key');
    await server.call('GET', 'otp', { key: made.body.data.key });
    const v3 = await server.call('POST', '/api/admin/generate-token', { asAdmin: true });
    secrets.set('a v3 token', v3.body.token);

    const unknown = `wotp_${'ab12'.repeat(16)}`;
    secrets.set('an unknown key', unknown);
    await server.call('GET', 'otp', { key: unknown });
    const headers = { 'x-master-key': 'a wrong password' };
    secrets.set('a wrong password', 'a wrong password');
    await server.call('GET', 'otp', { key: null, headers });
    await server.call('POST', 'session', { key: null, body: { password: 'a wrong password' } });

    const token = server.app.admin.newSignInToken();
    secrets.set('the token of a sign-in link', token);
    const signedIn = await server.call('POST', 'session', { key: null, body: { token } });
    const cookie = signedIn.headers.getSetCookie()[0]!.split(';')[0]!;
    secrets.set('the cookie', cookie.split('=')[1]!);
    await server.call('GET', 'simulator/messages', { key: null, headers: { cookie } });
    await server.call('POST', 'otp/send', { body: { phone, code: first, unknownField: 'of the caller' } });
    secrets.set('a field of a refused body', 'of the caller');
    await otp.limits(phone);
    await otp.lift(phone);
    await server.call('GET', `otp?phone=${encodeURIComponent(phone)}`);
  });

  test('every line is one JSON object with a level, a time and a sentence', () => {
    expect(server.logLines.length).toBeGreaterThan(30);
    for (const line of server.logLines) {
      expect(line.endsWith('\n')).toBe(true);
      expect(line.slice(0, -1)).not.toContain('\n');
      expect(JSON.parse(line)).toMatchObject({
        level: expect.any(Number),
        time: expect.any(Number),
        msg: expect.stringMatching(/./),
      });
    }
  });

  test('no line holds a code, a key, a password, a token, a cookie or a text of a message', () => {
    const log = withoutChance().toLowerCase();
    for (const [name, secret] of secrets) expect(log.includes(secret.toLowerCase()), name).toBe(false);
    expect(log).not.toMatch(/authorization|bearer |x-master-key|set-cookie/);
  });

  test('no line holds more of a phone number than its last 4 digits', () => {
    const log = withoutChance();
    for (const phone of phones) {
      expect(log).not.toContain(phone.slice(1, -4));
      expect(log).not.toContain(phone.slice(-8));
    }
  });

  test('nor does an event: neither code nor key, and phones masked', async () => {
    const events = await server.app.database.reader.selectFrom('events').selectAll().execute();
    const text = JSON.stringify(events).toLowerCase();
    for (const [name, secret] of secrets) expect(text.includes(secret.toLowerCase()), name).toBe(false);
    for (const phone of phones) expect(text).not.toContain(phone.slice(1, -4));
  });
});
