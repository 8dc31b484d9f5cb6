import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, verificationsOf } from '../support/verifications.ts';

const PASSWORD = 'a password only tests know';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * What a browser does with a page of ours: keeps the cookie, and names its own origin where it changes something. The
 * page keeps the secret and sends it with every call.
 */
function browserOf(server: TestApp, { origin = server.address }: { origin?: string } = {}) {
  let cookie = '';
  let secret = '';
  const call = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const answer = await server.call(method, path, {
      key: null,
      body,
      headers: {
        ...(cookie && { cookie }),
        ...(secret && { 'x-session-secret': secret }),
        ...(method === 'GET' ? {} : { origin }),
        ...headers,
      },
    });
    if (path === 'session' && method === 'POST') secret = answer.body.data?.secret ?? '';
    for (const set of answer.headers.getSetCookie()) {
      const pair = set.split(';')[0]!;
      if (/Max-Age=0|Expires=Thu, 01 Jan 1970/.test(set)) {
        if (cookie.startsWith(`${pair.split('=')[0]}=`)) cookie = '';
      } else cookie = pair;
    }
    return answer;
  };
  return {
    call,
    get cookie() {
      return cookie;
    },
    set cookie(value: string) {
      cookie = value;
    },
    get secret() {
      return secret;
    },
    set secret(value: string) {
      secret = value;
    },
    signIn: (body: object = { password: PASSWORD }) => call('POST', 'session', body),
    isSignedIn: async () => (await call('GET', 'session')).status === 200,
  };
}

/** The attributes of the one cookie that an answer sets. */
function cookieOf(answer: Answer) {
  const [cookie, ...others] = answer.headers.getSetCookie();
  expect(others).toEqual([]);
  const [pair = '', ...attributes] = cookie!.split('; ');
  const [name, value] = pair.split('=');
  return { name, value, attributes: attributes.sort() };
}

describe('on http and loopback', () => {
  let server: TestApp;
  let browser: ReturnType<typeof browserOf>;
  const jump = (ms: number) => verificationsOf(server).jump(ms);
  beforeAll(async () => {
    server = await startTestApp({ env: { MASTER_PASSWORD: PASSWORD, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    browser = browserOf(server);
  });

  describe('signing in', () => {
    test('by the link works once, and a second time says that it is used', async () => {
      const token = server.app.admin.newSignInToken();
      expect((await browser.signIn({ token })).status).toBe(200);
      expect(await browser.isSignedIn()).toBe(true);
      const again = await browserOf(server).signIn({ token });
      expect(expectProblem(again, 'UNAUTHORIZED').detail).toContain('already used');
      expect(again.headers.getSetCookie()).toEqual([]);
    });

    test('by the link works once also when ten try it at once', async () => {
      const token = server.app.admin.newSignInToken();
      // More would meet the limit of wrong tries.
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => browserOf(server).signIn({ token })),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      await jump(15 * MINUTE_MS);
    });

    test('by the link ends after 15 minutes, and when a newer link is made', async () => {
      const old = server.app.admin.newSignInToken();
      await jump(15 * MINUTE_MS);
      expectProblem(await browser.signIn({ token: old }), 'UNAUTHORIZED');
      const first = server.app.admin.newSignInToken();
      const second = server.app.admin.newSignInToken();
      expectProblem(await browser.signIn({ token: first }), 'UNAUTHORIZED');
      expect((await browser.signIn({ token: second })).status).toBe(200);
      await jump(15 * MINUTE_MS);
    });

    test('sets one cookie that scripts cannot read and other sites cannot send', async () => {
      const answer = await browser.signIn();
      const expires = new Date(server.clock.now() + 12 * HOUR_MS);
      const { name, value, attributes } = cookieOf(answer);
      expect(name).toBe('wotp');
      expect(Buffer.from(value!, 'base64url').length).toBeGreaterThanOrEqual(16);
      expect(attributes).toEqual([
        `Expires=${expires.toUTCString()}`,
        'HttpOnly',
        'Path=/',
        'SameSite=Strict',
      ]);
      const { secret } = browser;
      expect(answer.body).toEqual({ success: true, data: { secret, expiresAt: expires.toISOString() } });
      expect(Buffer.from(secret, 'base64url').length).toBeGreaterThanOrEqual(16);
      expect(answer.text).not.toContain(value);
    });

    test('gives a new cookie each time, whatever the browser had', async () => {
      browser.cookie = 'wotp=chosen-by-somebody-else';
      await browser.signIn();
      const first = browser.cookie;
      await browser.signIn();
      expect(first).not.toContain('chosen');
      expect(browser.cookie).not.toBe(first);
    });

    test('with a wrong password or token gives no cookie and no hint', async () => {
      for (const body of [{ password: 'wrong' }, { token: 'wrong' }]) {
        const refused = await browser.signIn(body);
        expectProblem(refused, 'UNAUTHORIZED');
        expect(refused.headers.getSetCookie()).toEqual([]);
      }
    });

    test('and failing to are recorded with the address, without the password', async () => {
      await browser.signIn({ password: 'not this one' });
      await browser.signIn();
      await browser.call('DELETE', 'session');
      const events = await server.app.database.reader
        .selectFrom('events')
        .select(['type', 'data'])
        .where('type', 'like', 'admin.%')
        .orderBy('seq', 'desc')
        .limit(3)
        .execute();
      expect(events.map(({ type }) => type)).toEqual([
        'admin.signed_out',
        'admin.signed_in',
        'admin.sign_in_failed',
      ]);
      const address = '127.0.0.1';
      expect(events.map(({ data }) => JSON.parse(data!))).toEqual([
        { address, actor: 'admin' },
        { address, actor: 'admin' },
        { address, actor: 'nobody' },
      ]);
    });

    test('keeps the cookie in the database as a hash only', async () => {
      await browser.signIn();
      const rows = await server.app.database.reader.selectFrom('admin_sessions').selectAll().execute();
      expect(JSON.stringify(rows)).not.toContain(browser.cookie.split('=')[1]);
    });
  });

  describe('a session', () => {
    test('opens the admin routes and those of keys', async () => {
      await browser.signIn();
      expect((await browser.call('GET', 'simulator/messages')).status).toBe(200);
      const sent = await browser.call('POST', 'otp/send', { phone: newPhone() });
      expect(sent.status).toBe(201);
      expect((await browser.call('GET', `otp/${sent.body.data.id}`)).status).toBe(200);
    });

    test.each([
      ['a page of another site', 'https://evil.example'],
      ['a page on another port', 'http://127.0.0.1:1'],
      ['a page in a sandbox', 'null'],
      ['a page whose name only begins alike', '@.evil.example'],
    ])('changes nothing for %s', async (_what, given) => {
      await browser.signIn();
      const origin = given.startsWith('@') ? server.address + given.slice(1) : given;
      const phone = newPhone();
      const refused = await browser.call('POST', 'otp/send', { phone }, { origin });
      expectProblem(refused, 'UNAUTHORIZED');
      expect((await browser.call('GET', `limits/${phone}`)).body.data.messagesLastDay).toBe(0);
      expectProblem(await browser.call('DELETE', 'session', undefined, { origin }), 'UNAUTHORIZED');
      expectProblem(await browser.call('PUT', 'simulator/faults', {}, { origin }), 'UNAUTHORIZED');
      expect(await browser.isSignedIn()).toBe(true);
    });

    test('changes nothing where no origin is named, nor by GET', async () => {
      await browser.signIn();
      const { cookie, secret } = browser;
      const body = { phone: newPhone() };
      const headers = { cookie, 'x-session-secret': secret };
      const refused = await server.call('POST', 'otp/send', { key: null, body, headers });
      expectProblem(refused, 'UNAUTHORIZED');
      const byGet = await browser.call('GET', 'otp/send?phone=%2B6283834946034');
      expect(byGet.status).toBeGreaterThanOrEqual(400);
    });

    test('changes something without Origin only where the browser itself says that the page is ours', async () => {
      await browser.signIn();
      const { cookie, secret } = browser;
      const from = (site: string) =>
        server.call('PUT', 'simulator/faults', {
          key: null,
          body: {},
          headers: { cookie, 'x-session-secret': secret, 'sec-fetch-site': site },
        });
      expect((await from('same-origin')).status).toBe(200);
      for (const site of ['same-site', 'cross-site', 'none', '']) {
        expectProblem(await from(site), 'UNAUTHORIZED');
      }
      const headers = { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' };
      expectProblem(await browser.call('PUT', 'simulator/faults', {}, headers), 'UNAUTHORIZED');
    });

    test('takes JSON only, so that no form of another site can post to it', async () => {
      await browser.signIn();
      const answer = await server.call('POST', 'otp/send', {
        key: null,
        body: 'phone=%2B6283834946034',
        headers: {
          cookie: browser.cookie,
          'x-session-secret': browser.secret,
          origin: server.address,
          'content-type': 'application/x-www-form-urlencoded',
        },
      });
      expectProblem(answer, 'UNSUPPORTED_MEDIA_TYPE');
    });

    test('ends on the server at sign-out: the old cookie is worth nothing', async () => {
      await browser.signIn();
      const { cookie: old, secret } = browser;
      const out = await browser.call('DELETE', 'session');
      expect(out.status).toBe(200);
      expect(browser.cookie).toBe('');
      const thief = browserOf(server);
      thief.cookie = old;
      thief.secret = secret;
      expect(await thief.isSignedIn()).toBe(false);
      expectProblem(await thief.call('GET', 'simulator/messages'), 'UNAUTHORIZED');
    });

    test('of one browser goes on when another signs out', async () => {
      const another = browserOf(server);
      await browser.signIn();
      await another.signIn();
      await another.call('DELETE', 'session');
      expect(await browser.isSignedIn()).toBe(true);
    });

    test('ends after 30 minutes without use, and use puts that off', async () => {
      await browser.signIn();
      for (let i = 0; i < 3; i++) {
        await jump(29 * MINUTE_MS);
        expect(await browser.isSignedIn()).toBe(true);
      }
      await jump(31 * MINUTE_MS);
      expect(await browser.isSignedIn()).toBe(false);
    });

    test('ends 12 hours after the sign-in, however much it is used', async () => {
      await browser.signIn();
      for (let minutes = 0; minutes < 12 * 60 - 20; minutes += 20) {
        await jump(20 * MINUTE_MS);
        expect(await browser.isSignedIn()).toBe(true);
      }
      await jump(20 * MINUTE_MS);
      expect(await browser.isSignedIn()).toBe(false);
    });

    test('ends with every other when the password changes', async () => {
      const another = browserOf(server);
      await browser.signIn();
      await another.signIn();
      await server.app.admin.setPassword('another password for all');
      expect(await browser.isSignedIn()).toBe(false);
      expect(await another.isSignedIn()).toBe(false);
    });

    test.each(['', 'x', '%00', 'a'.repeat(5_000), "' or 1=1 --"])(
      'is not opened by the cookie %j',
      async (value) => {
        await browser.signIn();
        browser.cookie = `wotp=${value}`;
        expectProblem(await browser.call('GET', 'session'), 'UNAUTHORIZED');
      },
    );

    test('is asked about by a page only: a call with the password has none', async () => {
      expectProblem(await server.call('GET', 'session', { asAdmin: true }), 'UNAUTHORIZED');
      expectProblem(await server.call('POST', 'session/ticket', { asAdmin: true }), 'UNAUTHORIZED');
    });

    test('opens nothing by the cookie alone, as another server on this machine gets it from the browser', async () => {
      await browser.signIn();
      const another = browserOf(server);
      await another.signIn();
      for (const secret of ['', 'x', another.secret, browser.cookie.split('=')[1]!]) {
        const thief = browserOf(server);
        thief.cookie = browser.cookie;
        thief.secret = secret;
        for (const path of ['session', 'simulator/messages', 'keys', 'otp']) {
          expectProblem(await thief.call('GET', path), 'UNAUTHORIZED');
        }
        expectProblem(await thief.call('POST', 'otp/send', { phone: newPhone() }), 'UNAUTHORIZED');
        expectProblem(await thief.call('POST', 'session/ticket'), 'UNAUTHORIZED');
        expectProblem(await thief.call('DELETE', 'session'), 'UNAUTHORIZED');
        const inAddress = await thief.call('GET', `keys?secret=${browser.secret}&ticket=${browser.secret}`);
        expectProblem(inAddress, 'UNAUTHORIZED');
      }
      expect(await browser.isSignedIn()).toBe(true);
    });

    test('that only the cookie is sent for does not stay awake by that', async () => {
      await browser.signIn();
      const thief = browserOf(server);
      thief.cookie = browser.cookie;
      await jump(20 * MINUTE_MS);
      expect(await thief.isSignedIn()).toBe(false);
      await jump(11 * MINUTE_MS);
      expect(await browser.isSignedIn()).toBe(false);
    });
  });

  describe('a ticket', () => {
    const ticketOf = async () => {
      const made = await browser.call('POST', 'session/ticket');
      expect(made.status).toBe(201);
      const { ticket, expiresAt } = made.body.data;
      expect(Date.parse(expiresAt)).toBe(server.clock.now() + 30_000);
      return ticket as string;
    };
    /** What the browser asks for by itself: with the cookie, without a header of the page's. */
    const byAddress = (path: string, method = 'GET') =>
      server.call(method, path, { key: null, headers: { cookie: browser.cookie, origin: server.address } });

    test('stands in for the secret in the address of one request', async () => {
      await browser.signIn();
      const ticket = await ticketOf();
      expect((await byAddress(`simulator/messages?limit=1&ticket=${ticket}`)).status).toBe(200);
      expectProblem(await byAddress(`simulator/messages?limit=1&ticket=${ticket}`), 'UNAUTHORIZED');
    });

    test('is worth nothing after 30 seconds, without the cookie, for another session, and after the sign-out', async () => {
      await browser.signIn();
      const late = await ticketOf();
      await jump(30_000);
      expectProblem(await byAddress(`keys?ticket=${late}`), 'UNAUTHORIZED');
      const ticket = await ticketOf();
      expectProblem(await server.call('GET', `keys?ticket=${ticket}`, { key: null }), 'UNAUTHORIZED');
      const another = browserOf(server);
      await another.signIn();
      another.secret = '';
      expectProblem(await another.call('GET', `keys?ticket=${ticket}`), 'UNAUTHORIZED');
      const { cookie } = browser;
      await browser.call('DELETE', 'session');
      browser.cookie = cookie;
      expectProblem(await byAddress(`keys?ticket=${ticket}`), 'UNAUTHORIZED');
    });

    test('changes nothing', async () => {
      await browser.signIn();
      const ticket = await ticketOf();
      expectProblem(await byAddress(`session?ticket=${ticket}`, 'DELETE'), 'UNAUTHORIZED');
      expectProblem(await byAddress(`session/ticket?ticket=${ticket}`, 'POST'), 'UNAUTHORIZED');
      expect(await browser.isSignedIn()).toBe(true);
    });

    test('is in no line of the log', async () => {
      await browser.signIn();
      const ticket = await ticketOf();
      await byAddress(`keys?ticket=${ticket}`);
      expect(server.logLines.join('')).not.toContain(ticket);
      expect(server.logLines.join('')).not.toContain(browser.secret);
    });
  });
});

describe('behind https', () => {
  const PUBLIC_URL = 'https://verify.example.com/';
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp({ env: { MASTER_PASSWORD: PASSWORD, PUBLIC_URL } });
  });
  afterAll(() => server.stop());

  test('the cookie is __Host- and Secure, and every answer asks for https from then on', async () => {
    const browser = browserOf(server, { origin: 'https://verify.example.com' });
    const answer = await browser.signIn();
    const { name, attributes } = cookieOf(answer);
    expect(name).toBe('__Host-wotp');
    expect(attributes.map((attribute) => attribute.split('=')[0])).toEqual([
      'Expires',
      'HttpOnly',
      'Path',
      'SameSite',
      'Secure',
    ]);
    expect(attributes).not.toContainEqual(expect.stringMatching(/^Domain/));
    expect(attributes).toContain('SameSite=Strict');
    for (const path of ['/', '/assets/phone.css', '/api/v1/nothing', '/api/v1/health', '/docs']) {
      const { headers } = await server.call('GET', path, { key: null });
      expect(headers.get('strict-transport-security'), path).toMatch(/max-age=\d{8}/);
    }
    expect(await browser.isSignedIn()).toBe(true);
    expect((await browser.call('PUT', 'simulator/faults', {})).status).toBe(200);
    const out = await browser.call('DELETE', 'session');
    expect(out.status).toBe(200);
    expect(browser.cookie).toBe('');
  });

  test('only the public address counts as our own, whatever the request says its host is', async () => {
    const browser = browserOf(server, { origin: 'https://verify.example.com' });
    await browser.signIn();
    for (const origin of [server.address, 'http://verify.example.com', 'https://verify.example.com:8443']) {
      expectProblem(await browser.call('PUT', 'simulator/faults', {}, { origin }), 'UNAUTHORIZED');
    }
    const forged = { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' };
    expectProblem(await browser.call('PUT', 'simulator/faults', {}, forged), 'UNAUTHORIZED');
  });

  test('a cookie under the name that plain http uses opens nothing', async () => {
    const browser = browserOf(server, { origin: 'https://verify.example.com' });
    await browser.signIn();
    browser.cookie = browser.cookie.replace('__Host-wotp', 'wotp');
    expect(await browser.isSignedIn()).toBe(false);
  });
});

describe('behind a proxy that ends https and names this machine as the host', () => {
  const headers = { 'x-forwarded-proto': 'https' };
  const start = (trustProxy: string) =>
    startTestApp({ env: { MASTER_PASSWORD: PASSWORD, TRUST_PROXY: trustProxy } });

  test('the cookie is __Host- and Secure, and opens what it shall', async () => {
    const server = await start('1');
    onTestFinished(() => server.stop());
    const browser = browserOf(server, { origin: server.address.replace('http:', 'https:') });
    const { name, attributes } = cookieOf(
      await browser.call('POST', 'session', { password: PASSWORD }, headers),
    );
    expect(name).toBe('__Host-wotp');
    expect(attributes).toContain('Secure');
    expect((await browser.call('GET', 'session', undefined, headers)).status).toBe(200);
    expect((await browser.call('PUT', 'simulator/faults', {}, headers)).status).toBe(200);
    expect((await browser.call('DELETE', 'session', undefined, headers)).status).toBe(200);
    expect(browser.cookie).toBe('');
  });

  test('nobody who is not trusted changes the cookie by saying so', async () => {
    const server = await start('0');
    onTestFinished(() => server.stop());
    const browser = browserOf(server);
    const answer = await browser.call('POST', 'session', { password: PASSWORD }, headers);
    expect(cookieOf(answer).name).toBe('wotp');
  });
});

describe('on plain http that is not loopback', () => {
  let server: TestApp;
  beforeAll(async () => {
    const env = { MASTER_PASSWORD: PASSWORD, PUBLIC_URL: 'http://verify.example.com' };
    server = await startTestApp({ env });
  });
  afterAll(() => server.stop());

  test('no cookie without Secure is given out', async () => {
    const browser = browserOf(server, { origin: 'http://verify.example.com' });
    const answer = await browser.signIn();
    for (const cookie of answer.headers.getSetCookie()) expect(cookie).toContain('; Secure');
  });
});
