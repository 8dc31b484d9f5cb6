import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FieldProblem } from '../../src/errors/errors.ts';

import { expectProblem, pathsOf } from '../support/problem.ts';
import { requestText, sendRaw } from '../support/raw-http.ts';
import { ROUTE_ACCESS } from '../support/routes.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
});
afterAll(() => server.stop());

const WRITABLE = [
  'verifications',
  'messages',
  'events',
  'api_keys',
  'idempotency_keys',
  'projects',
  'admin_sessions',
] as const;

/** How many rows each table holds that a request could have written to. */
async function stored() {
  const { reader } = server.app.database;
  const counts: Record<string, number> = {};
  for (const table of WRITABLE) {
    const { count } = await reader
      .selectFrom(table)
      .select((eb) => eb.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    counts[table] = Number(count);
  }
  return counts;
}

/** Makes a call that is refused as not valid, and holds that nothing was written. */
async function refused(method: string, path: string, body: unknown): Promise<FieldProblem[]> {
  const before = await stored();
  const answer = await server.call(method, path, { body, asAdmin: true });
  const { errors = [] } = expectProblem(answer, 'VALIDATION_ERROR');
  expect(await stored()).toEqual(before);
  return errors;
}

describe('a body with a wrong type', () => {
  const phone = '+6283834946034';

  const WRONG: [string, string, unknown, string[]][] = [
    ['POST', 'otp/send', null, ['body']],
    ['POST', 'otp/send', [], ['body']],
    ['POST', 'otp/send', '"text"', ['body']],
    ['POST', 'otp/send', 'true', ['body']],
    ['POST', 'otp/send', {}, ['phone']],
    ['POST', 'otp/send', { phone: 6283834946034 }, ['phone']],
    ['POST', 'otp/send', { phone: [phone] }, ['phone']],
    ['POST', 'otp/send', { phone: { $ne: '' } }, ['phone']],
    ['POST', 'otp/send', { phone: null }, ['phone']],
    ['POST', 'otp/send', { phone, purpose: 7 }, ['purpose']],
    ['POST', 'otp/send', { phone, purpose: '' }, ['purpose']],
    ['POST', 'otp/send', { phone, purpose: 'a b' }, ['purpose']],
    ['POST', 'otp/send', { phone, purpose: 'x'.repeat(41) }, ['purpose']],
    ['POST', 'otp/send', { phone, code: 123456 }, ['code']],
    ['POST', 'otp/send', { phone, code: '123' }, ['code']],
    ['POST', 'otp/send', { phone, code: '12345678901' }, ['code']],
    ['POST', 'otp/send', { phone, code: '12 456' }, ['code']],
    ['POST', 'otp/send', { phone, code: '١٢٣٤٥٦' }, ['code']],
    ['POST', 'otp/send', { phone, length: '6' }, ['length']],
    ['POST', 'otp/send', { phone, length: 5 }, ['length']],
    ['POST', 'otp/send', { phone, length: 6.5 }, ['length']],
    ['POST', 'otp/send', { phone, alphabet: 'hex' }, ['alphabet']],
    ['POST', 'otp/send', { phone, message: '' }, ['message']],
    ['POST', 'otp/send', { phone, message: 'x'.repeat(4097) }, ['message']],
    ['POST', 'otp/send', { phone, channel: 'pigeon' }, ['channel']],
    ['POST', 'otp/send', { phone, email: 7 }, ['email']],
    ['POST', 'otp/send', { phone, expiryMinutes: 0 }, ['expiryMinutes']],
    ['POST', 'otp/send', { phone, expiryMinutes: 61 }, ['expiryMinutes']],
    ['POST', 'otp/send', { phone, expiryMinutes: '5' }, ['expiryMinutes']],
    ['POST', 'otp/send', { phone, expiryMinutes: 1e308 }, ['expiryMinutes']],
    ['POST', 'otp/send', { phone, clientIp: 'localhost' }, ['clientIp']],
    ['POST', 'otp/send', { phone, clientIp: '203.0.113.7, 203.0.113.8' }, ['clientIp']],
    ['POST', 'otp/send', { phone, metadata: [] }, ['metadata']],
    ['POST', 'otp/send', { phone, metadata: { text: 'x'.repeat(4096) } }, ['metadata']],
    [
      'POST',
      'otp/send',
      `{"phone":"${phone}","metadata":${'{"a":'.repeat(30)}1${'}'.repeat(30)}}`,
      ['metadata'],
    ],
    ['POST', 'otp/send', { purpose: {}, phone: 1, length: 'x' }, ['length', 'phone', 'purpose']],
    ['POST', 'otp/verify', {}, ['code']],
    ['POST', 'otp/verify', { code: '123456' }, ['id']],
    ['POST', 'otp/verify', { phone, id: 'ver_x', code: '123456' }, ['id']],
    ['POST', 'otp/verify', { phone, code: 123456 }, ['code']],
    ['POST', 'otp/verify', { phone, code: ['123456'] }, ['code']],
    ['POST', 'otp/verify', { phone, code: '' }, ['code']],
    ['POST', 'otp/verify', { phone, code: '1'.repeat(65) }, ['code']],
    ['POST', 'keys', { name: 'x' }, ['permissions']],
    ['POST', 'keys', { name: ' ', permissions: ['otp:send'] }, ['name']],
    ['POST', 'keys', { name: 'x'.repeat(101), permissions: ['otp:send'] }, ['name']],
    ['POST', 'keys', { name: 'x', permissions: [] }, ['permissions']],
    ['POST', 'keys', { name: 'x', permissions: 'otp:send' }, ['permissions']],
    ['POST', 'keys', { name: 'x', permissions: ['otp:send', 'admin'] }, ['permissions.1']],
    ['POST', 'keys', { name: 'x', permissions: ['*'], rateLimit: 0 }, ['rateLimit']],
    ['POST', 'keys', { name: 'x', permissions: ['*'], rateLimit: 1_000_000_001 }, ['rateLimit']],
    ['POST', 'keys', { name: 'x', permissions: ['*'], expiresAt: 'tomorrow' }, ['expiresAt']],
    ['POST', 'keys', { name: 'x', permissions: ['*'], expiresAt: '2020-01-01T00:00:00Z' }, ['expiresAt']],
    ['POST', 'session', {}, ['password']],
    ['POST', 'session', { token: 'x', password: 'y' }, ['password']],
    ['POST', 'session', { password: 'x'.repeat(1025) }, ['password']],
    ['PUT', 'simulator/faults', { delayMs: -1 }, ['delayMs']],
    ['PUT', 'simulator/faults', { refuse: 'yes' }, ['refuse']],
  ];
  const cases = WRONG.map(([method, path, body, places]) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return { method, path, text, shown: text.slice(0, 60), places };
  });

  test.each(cases)(
    '$method $path with $shown is refused, each wrong place is named, and nothing is stored',
    async ({ method, path, text, places }) => {
      expect(pathsOf(await refused(method, path, text))).toEqual(places);
    },
  );
});

describe('an unknown field', () => {
  test.each<[string, string, object]>([
    ['POST', 'otp/send', { phone: '+6283834946034' }],
    ['POST', 'otp/verify', { phone: '+6283834946034', code: '123456' }],
    ['POST', 'keys', { name: 'x', permissions: ['otp:send'] }],
    ['POST', 'templates', { code: 'x', name: 'x', content: '{{code}}', language: 'en' }],
    ['POST', 'templates/lint', { content: '{{code}}' }],
    ['POST', 'session', { password: 'x' }],
    ['PUT', 'simulator/faults', {}],
    ['POST', '/api/admin/generate-token', {}],
    ['POST', 'otp/ver_01jd3x8zq2e6v9k5m7n0p4r8st/resend', {}],
    ['POST', 'otp/ver_01jd3x8zq2e6v9k5m7n0p4r8st/cancel', {}],
  ])('%s %s with one is refused and the field is named', async (method, path, body) => {
    const errors = await refused(method, path, { ...body, isAdmin: true });
    expect(errors).toEqual([
      { path: 'isAdmin', message: expect.stringMatching(/^Unknown field `isAdmin`\. Allowed: \w.*\.$/) },
    ]);
  });

  test('every one of several is named', async () => {
    const errors = await refused('POST', 'otp/send', {
      phone: '+6283834946034',
      priority: 'x',
      language: 'id',
    });
    expect(pathsOf(errors)).toEqual(['language', 'priority']);
  });

  test('is said before the field that it may be a typing error of', async () => {
    const answer = await server.call('POST', 'otp/send', { body: { phon: '+6283834946034' } });
    const { detail, errors } = expectProblem(answer, 'VALIDATION_ERROR');
    expect(detail).toMatch(/^Unknown field `phon`\. Allowed: phone, /);
    expect(pathsOf(errors ?? [])).toEqual(['phon']);
  });
});

describe('names that mean something to JavaScript', () => {
  test.each([
    '{"phone":"+6283834946034","__proto__":{"isAdmin":true}}',
    '{"__proto__":{"phone":"+6283834946034"}}',
    '{"phone":"+6283834946034","\\u005f_proto__":1}',
    '{"phone":"+6283834946034","constructor":{"prototype":{"isAdmin":true}}}',
    '{"phone":"+6283834946034","constructor":1}',
    '{"phone":"+6283834946034","prototype":{}}',
    '{"phone":"+6283834946034","metadata":{"__proto__":{"isAdmin":true}}}',
    '{"phone":"+6283834946034","metadata":{"a":[{"__proto__":[]}]}}',
    '{"phone":"+6283834946034","metadata":{"constructor":{"prototype":{}}}}',
  ])('%s is refused and reaches no prototype', async (body) => {
    await refused('POST', 'otp/send', body);
    expect(({} as Record<string, unknown>).isAdmin).toBeUndefined();
  });

  test('in metadata "prototype" and "toString" are words like any other and come back as they went', async () => {
    const metadata = { prototype: { a: 1 }, toString: 'x', hasOwnProperty: false };
    const sent = await server.call('POST', 'otp/send', { body: { phone: newPhone(), metadata } });
    const read = await server.call('GET', `otp/${sent.body.data.id}`);
    expect(read.body.data.metadata).toEqual(metadata);
  });

  test.each(['__proto__=1', 'constructor=1', 'limit[__proto__]=1'])(
    'the query %s is refused',
    async (query) => {
      expectProblem(await server.call('GET', `keys?${query}`), 'VALIDATION_ERROR');
    },
  );
});

describe('a query', () => {
  test.each([
    ['otp?limit=0', ['limit']],
    ['otp?limit=201', ['limit']],
    ['otp?limit=ten', ['limit']],
    ['otp?limit=', ['limit']],
    ['otp?limit=1.5', ['limit']],
    ['otp?limit=1e2', ['limit']],
    ['otp?limit=0x10', ['limit']],
    ['otp?limit=%2050', ['limit']],
    ['otp?status=waiting', ['status']],
    ['otp?from=yesterday', ['from']],
    ['otp?unknown=1', ['unknown']],
    ['keys?limit=-1', ['limit']],
    ['keys?order=name', ['order']],
    ['simulator/messages?from=1', ['from']],
    ['bot/sessions?limit=0', ['limit']],
    ['bot/opt-outs?limit=201', ['limit']],
  ])('%s is refused and the place is named', async (path, places) => {
    expect(pathsOf(await refused('GET', path, undefined))).toEqual(places);
  });

  test.each([
    'otp?limit=1&limit=2',
    'otp?limit=1&limit=1',
    'otp?phone=%2B6283834946034&phone=%2B6283834946035',
    'keys?cursor=key_a&cursor=key_b',
    'simulator/messages?to=%2B6283834946034&to=%2B6283834946034',
    'otp/status?x=1&x=2',
  ])('with a name twice is refused: %s', async (path) => {
    await refused('GET', path, undefined);
  });

  test.each(['otp', 'keys', 'simulator/messages', 'bot/sessions', 'bot/opt-outs'])(
    'of %s with a cursor that no page has given is refused',
    async (list) => {
      for (const cursor of ['zzz', 'key_', "' or 1=1 --", '%00', 'evt_01jd3x8zq2e6v9k5m7n0p4r8st']) {
        const errors = await refused('GET', `${list}?cursor=${encodeURIComponent(cursor)}`, undefined);
        expect(pathsOf(errors), cursor).toEqual(['cursor']);
      }
    },
  );
});

describe('a header that must stand once', () => {
  const body = '{"phone":"+6283834946034"}';
  const send = (headers: string[]) =>
    sendRaw(
      server.address,
      requestText('POST /api/v1/otp/send', ['Content-Type: application/json', ...headers], body),
    );
  const key = () => `Authorization: Bearer ${server.key}`;

  test('Authorization twice is refused, also with equal values and in another case', async () => {
    for (const second of [
      key(),
      key().replace('Authorization', 'AUTHORIZATION'),
      'Authorization: Bearer x',
    ]) {
      expectProblem(await send([key(), second]), 'VALIDATION_ERROR');
      expectProblem(await send([second, key()]), 'VALIDATION_ERROR');
    }
  });

  test('Idempotency-Key twice is refused', async () => {
    expectProblem(await send([key(), 'Idempotency-Key: a', 'Idempotency-Key: a']), 'VALIDATION_ERROR');
    expectProblem(await send([key(), 'Idempotency-Key: a', 'idempotency-key: b']), 'VALIDATION_ERROR');
  });

  test('X-Master-Key twice is refused', async () => {
    const password = `X-Master-Key: ${server.adminPassword}`;
    expectProblem(await send([password, password]), 'VALIDATION_ERROR');
  });
});

describe('what a person types as a code', () => {
  test.each([
    ['a zero byte', '482913\u0000', 'NUL|U\\+0000'],
    ['an accent', '482913\u0301', 'U\\+0301'],
    ['a dot', '482.913', '“\\.” \\(U\\+002E\\)'],
    ['bullets in its place', '●●●●●●', '“●” \\(U\\+25CF\\)'],
    ['the sentence around it', 'Your verification code is 482913', '4 to 10 letters'],
    ['a long text around it', `482913 ${'is the code that I have been sent '.repeat(20)}`, '4 to 10 letters'],
    ['nothing', '', '4 to 10 letters'],
    ['only spaces', '      ', '4 to 10 letters'],
    ['only hyphens', '---', '4 to 10 letters'],
    ['too few digits', '482', '4 to 10 letters'],
    ['too many digits', '48291300000', '4 to 10 letters'],
  ])('with %s is 400 that says so, and costs no attempt', async (_what, typed, named) => {
    const phone = newPhone();
    const sent = await server.call('POST', 'otp/send', {
      body: { phone, code: '482913', message: '{{code}}' },
    });
    const { id } = sent.body.data;
    for (const body of [
      { id, code: typed },
      { phone, code: typed },
    ]) {
      const problem = expectProblem(await server.call('POST', 'otp/verify', { body }), 'VALIDATION_ERROR');
      expect(problem.errors?.map(({ path }) => path)).toEqual(['code']);
      expect(`${problem.detail} ${problem.errors?.[0]?.message}`).toMatch(new RegExp(named));
      expect(problem).not.toHaveProperty('attemptsRemaining');
    }
    expect((await server.call('GET', `otp/${id}`)).body.data).toMatchObject({
      status: 'pending',
      attemptsRemaining: 5,
    });
    expect((await server.call('POST', 'otp/verify', { body: { id, code: '482913' } })).status).toBe(200);
  });

  test.each([
    ['ASCII spaces and hyphens', ' 482-9 1-3 '],
    ['Arabic-Indic digits', '٤٨٢٩١٣'],
    ['full-width digits', '４８２９１３'],
    ['a no-break space', '482\u00a0913'],
    ['an en dash', '482\u2013913'],
    ['a zero-width space and a right-to-left mark', '\u200f482\u200b913'],
    ['a line break', '482913\n'],
  ])('with %s is the code', async (_what, typed) => {
    const body = { phone: newPhone(), code: '482913', message: '{{code}}' };
    const sent = await server.call('POST', 'otp/send', { body });
    const check = { id: sent.body.data.id, code: typed };
    expect((await server.call('POST', 'otp/verify', { body: check })).status).toBe(200);
  });

  test('the code that was typed stands in no refusal', async () => {
    const sent = await server.call('POST', 'otp/send', {
      body: { phone: newPhone(), code: '482913', message: '{{code}}' },
    });
    for (const code of ['734165', '734165\u00a0', '734 165x']) {
      const answer = await server.call('POST', 'otp/verify', { body: { id: sent.body.data.id, code } });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toMatch(/734.?165/);
      expect(answer.text).not.toContain('482913');
    }
  });
});

describe('a phone number that cannot be', () => {
  test.each([
    ['letters', '+62838CALLNOW'],
    ['right-to-left marks around letters', '\u200f+62838abc\u200e'],
    ['3,000 digits', `+${'6'.repeat(3_000)}`],
    ['100,000 spaces', `+62${' '.repeat(100_000)}83834946034`],
    ['an extension', '+6283834946034 ext. 5'],
    ['two numbers', '+6283834946034, +6283834946035'],
    ['nothing', ''],
    ['a plus', '+'],
    ['too few digits', '+62838'],
    ['a number of nobody', '+9991234567890'],
    ['SQL', "+6283834946034' or '1'='1"],
  ])(
    'with %s is refused in a send, a check and a look at limits, and nothing is stored',
    async (_what, phone) => {
      const before = await stored();
      const answers = [
        await server.call('POST', 'otp/send', { body: { phone } }),
        await server.call('POST', 'otp/verify', { body: { phone, code: '123456' } }),
      ];
      if (phone.length > 0 && phone.length < 200) {
        answers.push(await server.call('GET', `limits/${encodeURIComponent(phone)}`, { asAdmin: true }));
      }
      for (const answer of answers) {
        expectProblem(answer, 'PHONE_INVALID');
        expect(answer.text.length).toBeLessThan(1_000);
      }
      expect(await stored()).toEqual(before);
    },
  );
});

describe('a phone number as people paste it', () => {
  test.each([
    ['copied from an address book', (phone: string) => `\u202a${phone}\u202c\n`],
    [
      'with spaces and dashes of a word processor',
      (phone: string) => `${phone.slice(0, 3)}\u00a0${phone.slice(3, 6)}\u2013${phone.slice(6)}`,
    ],
    [
      'in Arabic-Indic digits',
      (phone: string) => phone.replace(/\d/g, (digit) => '٠١٢٣٤٥٦٧٨٩'[Number(digit)]!),
    ],
    ['as WhatsApp writes it', (phone: string) => `${phone.slice(1)}@c.us`],
    ['as a link', (phone: string) => `tel:${phone}`],
  ])('%s is the number in every place where one is read', async (_how, spelled) => {
    const phone = newPhone();
    const typed = spelled(phone);
    const inPath = encodeURIComponent(typed);
    const sent = await server.call('POST', 'otp/send', {
      body: { phone: typed, code: '482913', message: '{{code}}' },
    });
    expect(sent.body.data.phone).toBe(phone);
    await server.clock.advance(2_000);

    const listed = await server.call('GET', `otp?phone=${inPath}`);
    expect(listed.body.data).toMatchObject([{ phone }]);
    const inbox = await server.call('GET', `simulator/messages?to=${inPath}`, { asAdmin: true });
    expect(inbox.body.data).toMatchObject([{ to: phone }]);
    const fault = await server.call('PUT', 'simulator/faults', { body: { to: typed }, asAdmin: true });
    expect(fault.body.data.to).toBe(phone);
    const limits = await server.call('GET', `limits/${inPath}`, { asAdmin: true });
    expect(limits.body.data).toMatchObject({ phone, messagesLastDay: 1 });
    expect((await server.call('DELETE', `limits/${inPath}`, { asAdmin: true })).body.data).toEqual({
      id: phone,
    });
    const optOut = await server.call('DELETE', `bot/opt-outs/${inPath}`, { asAdmin: true });
    expect(expectProblem(optOut, 'RESOURCE_NOT_FOUND').detail).toContain('opted out');
    const checked = await server.call('POST', 'otp/verify', { body: { phone: typed, code: '482913' } });
    expect(checked.body.data).toMatchObject({ valid: true, phone });
  });

  test('with a character that cannot be read is refused by its name, in the field that holds it', async () => {
    const typed = '+62838x4946034';
    const refusals: [string, Awaited<ReturnType<TestApp['call']>>][] = [
      ['phone', await server.call('POST', 'otp/send', { body: { phone: typed } })],
      ['phone', await server.call('POST', 'otp/verify', { body: { phone: typed, code: '482913' } })],
      ['phone', await server.call('GET', `otp?phone=${encodeURIComponent(typed)}`)],
      ['phone', await server.call('GET', `limits/${encodeURIComponent(typed)}`, { asAdmin: true })],
      [
        'to',
        await server.call('GET', `simulator/messages?to=${encodeURIComponent(typed)}`, { asAdmin: true }),
      ],
      ['to', await server.call('PUT', 'simulator/faults', { body: { to: typed }, asAdmin: true })],
      ['phone', await server.call('DELETE', `bot/opt-outs/${encodeURIComponent(typed)}`, { asAdmin: true })],
    ];
    for (const [path, refusal] of refusals) {
      const problem = expectProblem(refusal, 'PHONE_INVALID');
      expect(problem.detail).toContain('“x” (U+0078)');
      expect(problem.errors).toEqual([{ path, message: problem.detail }]);
    }
  });
});

describe('whatever comes in, the answer is a success or a refusal, never an error of ours', () => {
  // The same inputs each time, so that a failure can be looked into.
  const parameters = { seed: 20_260_115, numRuns: 150 };
  const routes = Object.keys(ROUTE_ACCESS).map((route) => route.split(' ') as [string, string]);
  // Without the sign-in, whose wrong tries would lock out the administrator who makes all the other calls.
  const apiRoutes = routes.filter(
    ([method, path]) => method !== 'GET' && path.startsWith('/api/') && !path.endsWith('/session'),
  );

  async function hold(call: Promise<Awaited<ReturnType<TestApp['call']>>>): Promise<void> {
    const answer = await call;
    expect(answer.status).toBeLessThan(500);
    if (answer.status >= 400) expectProblem(answer, answer.body.code);
  }

  test('any JSON as a body', async () => {
    const names = [
      'phone',
      'code',
      'id',
      'purpose',
      'metadata',
      'name',
      'permissions',
      'rateLimit',
      'to',
      'token',
      'template',
      'variables',
      'locale',
      'content',
      'translations',
    ];
    const body = fc.oneof(
      fc.json({ maxDepth: 4 }),
      fc
        .dictionary(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 3 }))
        .map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...apiRoutes),
        body,
        fc.boolean(),
        async ([method, path], text, once) => {
          const headers: Record<string, string> = once ? { 'idempotency-key': 'fuzz' } : {};
          const address = path
            .replace(':id', 'ver_01jd3x8zq2e6v9k5m7n0p4r8st')
            .replace(':phone', '6283834946034');
          await hold(server.call(method, address, { body: text, asAdmin: true, headers }));
        },
      ),
      parameters,
    );
  });

  test('any text as a part of an address or in a query', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...routes),
        fc.string({ unit: 'binary' }),
        async ([method, path], text) => {
          const written = encodeURIComponent(text);
          const address = path.replace(/:\w+|\*/, written || 'x');
          await hold(server.call(method, `${address}?cursor=${written}&to=${written}`, { asAdmin: true }));
        },
      ),
      parameters,
    );
  });

  test('any bytes as a header', async () => {
    const headerNames = [
      'authorization',
      'x-master-key',
      'idempotency-key',
      'x-request-id',
      'cookie',
      'content-type',
    ];
    const value = fc.uint8Array({ maxLength: 60 }).map((bytes) =>
      // Other bytes end the header or are refused as no HTTP before we see them.
      Buffer.from(bytes.map((byte) => (byte < 32 || byte === 127 ? 46 : byte))).toString('latin1'),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...headerNames), value, async (name, text) => {
        const key = name === 'authorization' ? null : server.key;
        await hold(server.call('POST', 'otp/verify', { key, body: {}, headers: { [name]: text } }));
      }),
      parameters,
    );
  });
});
