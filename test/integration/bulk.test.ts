import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import { DAY_MS, MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const PLAIN = 'Hello {{name}}, the shop is open.';
const WITH_CODE = 'Hello {{name}}, your code is {{code}}.';

let server: TestApp;
let to: ReturnType<typeof verificationsOf>;

beforeEach(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  to = verificationsOf(server);
});
afterEach(() => server.stop());

type Row = Record<string, unknown>;
const phones = (count: number) => Array.from({ length: count }, newPhone);
const people = (count: number): Row[] => phones(count).map((phone, i) => ({ phone, name: `Ayu ${i}` }));
const send = (recipients: Row[], template = PLAIN, more: Row = {}, headers = {}) =>
  server.call('POST', 'bulk/send', { body: { recipients, template, ...more }, headers });
const sendFile = (file: string | Buffer, query: Record<string, string> = { template: PLAIN }, headers = {}) =>
  server.call('POST', `bulk/send?${new URLSearchParams(query)}`, {
    body: file as string,
    headers: { 'content-type': 'text/csv', ...headers },
  });
const status = async (id: string) => (await server.call('GET', `bulk/status/${id}`)).body.data;
const results = async (id: string) => (await server.call('GET', `bulk/${id}/results?limit=200`)).body.data;
const act = (id: string, verb: string) => server.call('POST', `bulk/${id}/${verb}`);

async function accepted(answer: Answer): Promise<string> {
  expect(answer.body, answer.text.slice(0, 500)).toMatchObject({ success: true });
  expect(answer.status).toBe(202);
  return answer.body.data.bulkId;
}
/** Lets time pass until a job has ended. */
async function ended(id: string) {
  for (let round = 0; round < 60; round++) {
    await server.clock.advance(1_000);
    const bulk = await status(id);
    if (bulk.completedAt !== null) return bulk;
  }
  throw new Error('The job did not end.');
}
/** Every message that is stored, by the address it went to. */
const stored = () =>
  server.app.database.reader
    .selectFrom('messages')
    .select(['id', 'address', 'owner_id', 'lane', 'status'])
    .orderBy('id')
    .execute();

describe('a plain text', () => {
  test('goes to each recipient once, with their own values', async () => {
    const recipients = people(3);
    const answer = await send(recipients, PLAIN, { metadata: { campaign: 'spring' } });
    const id = await accepted(answer);
    expect(answer.body.data).toEqual({
      bulkId: expect.stringMatching(/^blk_/),
      status: 'processing',
      total: 3,
      duplicates: 0,
      rejected: 0,
      skipped: [],
    });
    expect(await ended(id)).toEqual({
      bulkId: id,
      status: 'completed',
      total: 3,
      processed: 3,
      successful: 3,
      failed: 0,
      rejected: 0,
      canceled: 0,
      duplicates: 0,
      progress: '100.00',
      ratePerSecond: expect.any(Number),
      etaSeconds: null,
      reason: null,
      createdAt: expect.any(String),
      completedAt: expect.any(String),
      metadata: { campaign: 'spring' },
    });
    await to.deliver();
    for (const { phone, name } of recipients) {
      expect(await to.inbox(phone as string)).toMatchObject([{ text: `Hello ${name}, the shop is open.` }]);
    }
    const rows = await results(id);
    expect(rows).toMatchObject(
      recipients.map(({ phone }, line) => ({
        line,
        phone,
        status: 'read',
        reason: null,
        verificationId: null,
      })),
    );
    expect(await stored()).toMatchObject(rows.map(() => ({ owner_id: id, lane: 2 })));
  });

  test('may hold what looks like a placeholder in a value, which stays text', async () => {
    const [phone] = phones(1);
    await ended(await accepted(await send([{ phone, name: '{{code}} {{name}}' }])));
    expect(await to.inbox(phone!)).toMatchObject([{ text: 'Hello {{code}} {{name}}, the shop is open.' }]);
  });

  test('reaches an e-mail address', async () => {
    const id = await accepted(await send([{ email: 'Ayu@example.com', name: 'Ayu' }]));
    await ended(id);
    expect(await results(id)).toMatchObject([
      { phone: null, email: 'Ayu@example.com', status: expect.stringMatching(/sent|delivered|read/) },
    ]);
  });
});

describe('a text with {{code}}', () => {
  test('gives each recipient a verification of their own, whose code can be checked', async () => {
    const [recipient] = people(1);
    const answer = await send([recipient!], WITH_CODE, { purpose: 'login', expiryMinutes: 7 });
    const id = await accepted(answer);
    expect(await ended(id)).toMatchObject({ status: 'completed', successful: 1 });
    const [{ verificationId, messageId }] = await results(id);
    const [message] = await to.inbox(recipient!.phone as string);
    expect(message).toMatchObject({ id: messageId });
    const code = /code is (\d{6})\./.exec(message!.text)![1]!;
    const { body } = await to.check({ phone: recipient!.phone, purpose: 'login', code });
    expect(body.data).toMatchObject({ valid: true, id: verificationId });
    expect(await stored()).toMatchObject([{ id: messageId, owner_id: verificationId, lane: 2 }]);
  });

  test('carries the code that the caller gives, as in v3', async () => {
    const phone = newPhone();
    const body = {
      recipients: [{ phone: phone.slice(1), code: '482913', name: 'Ayu' }],
      template: WITH_CODE,
      metadata: { campaign: 'x' },
    };
    await ended(await accepted(await server.call('POST', 'bulk/send', { body })));
    expect(await to.inbox(phone)).toMatchObject([{ text: 'Hello Ayu, your code is 482913.' }]);
    expect((await to.check({ phone, code: '482913' })).status).toBe(200);
  });

  test('stores no code and no value that can be read, and nothing of them once the message is made', async () => {
    const id = await accepted(
      await send([{ phone: newPhone(), code: '482913', name: 'Secretname' }], WITH_CODE),
    );
    const before = await server.app.database.reader.selectFrom('bulk_recipients').selectAll().execute();
    expect(before[0]!.content).not.toBeNull();
    expect(before[0]!.content!.toString('latin1')).not.toMatch(/482913|Secretname/);
    await ended(id);
    const after = await server.app.database.reader.selectFrom('bulk_recipients').selectAll().execute();
    expect(after[0]!.content).toBeNull();
  });
});

describe('a template', () => {
  const keep = (body: Row) =>
    server.call('POST', 'templates', { body: { name: 'A text', language: 'en', ...body } });
  const byTemplate = (recipients: Row[], templateCode: string) =>
    server.call('POST', 'bulk/send', { body: { recipients, templateCode } });

  test('is named by its code, and each recipient reads it in their language', async () => {
    const translations = { id: { text: 'Halo {{name}}, kodenya {{code}}.' } };
    await keep({ code: 'welcome', content: 'Hi {{name}}, it is {{code}}.', translations });
    const [a, b] = phones(2);
    const id = await accepted(
      await byTemplate(
        [
          { phone: a, name: 'Ayu', locale: 'en' },
          { phone: b, name: 'Budi' },
        ],
        'welcome',
      ),
    );
    expect(await ended(id)).toMatchObject({ successful: 2 });
    expect(await to.inbox(a!)).toMatchObject([{ text: expect.stringMatching(/^Hi Ayu, it is \d{6}\.$/) }]);
    expect(await to.inbox(b!)).toMatchObject([
      { text: expect.stringMatching(/^Halo Budi, kodenya \d{6}\.$/) },
    ]);
  });

  test('without {{code}} is a plain message', async () => {
    await keep({ code: 'open', content: 'Hi {{name}}, we are open.' });
    const [phone] = phones(1);
    const id = await accepted(await byTemplate([{ phone, name: 'Ayu' }], 'open'));
    await ended(id);
    expect(await to.inbox(phone!)).toMatchObject([{ text: 'Hi Ayu, we are open.' }]);
    expect(await results(id)).toMatchObject([{ verificationId: null }]);
  });

  test('that is the built-in one sends a code', async () => {
    const [phone] = phones(1);
    await ended(await accepted(await byTemplate([{ phone, locale: 'en' }], 'default')));
    expect(await to.inbox(phone!)).toMatchObject([{ text: expect.stringMatching(/\d{6}/) }]);
  });

  test('needs its values, and has to be there', async () => {
    await keep({ code: 'open', content: 'Hi {{name}}, we are open.' });
    const answer = await byTemplate([...people(1), { phone: newPhone() }], 'open');
    expect(expectProblem(answer, 'VALIDATION_ERROR').errors).toMatchObject([{ path: 'recipients.1.name' }]);
    expectProblem(await byTemplate(people(1), 'nowhere'), 'TEMPLATE_NOT_FOUND');
    const body = { recipients: people(1), templateCode: 'open', template: PLAIN };
    expectProblem(await server.call('POST', 'bulk/send', { body }), 'VALIDATION_ERROR');
    expectProblem(
      await server.call('POST', 'bulk/send', { body: { recipients: people(1) } }),
      'VALIDATION_ERROR',
    );
  });

  test('refuses a value that contains the code given beside it, with the line', async () => {
    await keep({ code: 'order', content: 'Order {{order}}: your code is {{code}}.' });
    const file = 'phone,code,order\n+6281234566034,4821,7\n+6281234566035,4821,A-4821\n';
    const problem = expectProblem(await sendFile(file, { templateCode: 'order' }), 'VALIDATION_ERROR');
    expect(problem.errors).toMatchObject([
      { path: 'line 3', message: expect.stringMatching(/^In line 3: .*`order`.*contains the code/) },
    ]);
    await server.clock.advance(2_000);
    expect(await stored()).toEqual([]);
  });

  test('that is deleted meanwhile reaches nobody any more', async () => {
    const { body } = await keep({ code: 'open', content: 'Hi {{name}}, we are open.' });
    const id = await accepted(await byTemplate(people(2), 'open'));
    await server.call('DELETE', `templates/${body.data.id}`);
    expect(await ended(id)).toMatchObject({ status: 'completed', successful: 0, failed: 2, rejected: 2 });
    expect((await results(id))[0].reason).toMatch(/^TEMPLATE_NOT_FOUND/);
  });
});

describe('who is sent to', () => {
  test('the same recipient once, however they are written', async () => {
    const phone = newPhone();
    const spelled = `00${phone.slice(1, 3)} (${phone.slice(3, 6)}) ${phone.slice(6)}`;
    const answer = await send([
      { phone, name: 'a' },
      { phone: phone.slice(1), name: 'b' },
      { phone: spelled, name: 'c' },
      { email: 'a@example.com', name: 'd' },
      { email: 'A@Example.com', name: 'e' },
    ]);
    expect(answer.body.data).toMatchObject({ total: 2, duplicates: 3, rejected: 0 });
    expect(answer.body.data.skipped).toMatchObject([{ line: 1 }, { line: 2 }, { line: 4 }]);
    const bulk = await ended(await accepted(answer));
    expect(bulk).toMatchObject({ total: 2, duplicates: 3, successful: 2 });
    expect(await to.inbox(phone)).toMatchObject([{ text: 'Hello a, the shop is open.' }]);
  });

  test('nobody who has opted out, while the rest is', async () => {
    const [out, other] = people(2);
    await server.call('POST', 'opt-outs', { body: { phone: out!.phone }, asAdmin: true });
    const answer = await send([out!, other!]);
    expect(answer.body.data).toMatchObject({ total: 2, rejected: 1 });
    expect(answer.body.data.skipped).toEqual([
      { line: 0, reason: expect.stringMatching(/^PHONE_OPTED_OUT/) },
    ]);
    const id = await accepted(answer);
    expect(await ended(id)).toMatchObject({ total: 2, processed: 2, successful: 1, failed: 1, rejected: 1 });
    expect(await results(id)).toMatchObject([
      {
        phone: out!.phone,
        status: 'rejected',
        reason: expect.stringMatching(/^PHONE_OPTED_OUT/),
        messageId: null,
      },
      { phone: other!.phone, status: expect.stringMatching(/sent|delivered|read/) },
    ]);
    expect(await to.inbox(out!.phone as string)).toEqual([]);
  });

  test('nobody who opts out after the job was accepted', async () => {
    const recipients = people(2);
    const id = await accepted(await send(recipients));
    await server.call('POST', 'opt-outs', { body: { phone: recipients[1]!.phone }, asAdmin: true });
    expect(await ended(id)).toMatchObject({ successful: 1, failed: 1, rejected: 1 });
  });

  test('nobody to whom the limits allow no more: five messages in ten minutes, whatever they are', async () => {
    const recipient = people(1)[0]!;
    for (let sent = 0; sent < 5; sent++) {
      await ended(await accepted(await send([recipient], `Hello {{name}}, ${sent}`)));
    }
    const answer = await send([recipient]);
    expect(answer.body.data).toMatchObject({ total: 1, rejected: 1 });
    const id = await accepted(answer);
    expect(await ended(id)).toMatchObject({
      status: 'completed',
      successful: 0,
      failed: 1,
      progress: '100.00',
    });
    expectProblem(await to.send({ phone: recipient.phone }), 'RATE_LIMIT_EXCEEDED');
    expect((await to.limits(recipient.phone as string)).body.data).toMatchObject({
      messagesLast10Minutes: 5,
    });
    await to.lift(recipient.phone as string);
    await to.sent({ phone: recipient.phone });
  });

  test('nobody whom a code was just sent to gets another one', async () => {
    const recipient = people(1)[0]!;
    await to.sent({ phone: recipient.phone });
    const answer = await send([recipient], WITH_CODE);
    expect(answer.body.data).toMatchObject({ rejected: 1 });
    expect(answer.body.data.skipped[0].reason).toMatch(/^RATE_LIMIT_EXCEEDED/);
    expect((await send([recipient])).body.data).toMatchObject({ rejected: 0 });
  });

  test('nobody in a country that is not allowed', async () => {
    await server.stop();
    server = await startTestApp({ env: { ...QUICK_ADMIN, COUNTRIES_DENIED: 'SG' } });
    const answer = await send([{ phone: '+6591234567', name: 'a' }, ...people(1)]);
    expect(answer.body.data).toMatchObject({ total: 2, rejected: 1 });
    const id = await accepted(answer);
    await ended(id);
    expect(await results(id)).toMatchObject([
      { phone: '+6591234567', status: 'rejected', reason: expect.stringMatching(/^PHONE_NOT_ALLOWED/) },
      {},
    ]);
  });

  test('more numbers of one block than single sends may reach', async () => {
    const id = await accepted(await send(people(60), WITH_CODE));
    expect(await ended(id)).toMatchObject({ successful: 60, failed: 0 });
  });
});

describe('a request that cannot be read is refused as a whole', () => {
  test.each([
    ['a number that is none', { phone: '12', name: 'a' }, 'recipients.1.phone', 'VALIDATION_ERROR'],
    ['an address that is none', { email: 'a@', name: 'a' }, 'recipients.1.email', 'VALIDATION_ERROR'],
    ['no address', { name: 'a' }, 'recipients.1.phone', 'VALIDATION_ERROR'],
    ['a variable that is missing', { phone: '+6281234566034' }, 'recipients.1.name', 'VALIDATION_ERROR'],
    [
      'a value that is no text',
      { phone: '+6281234566034', name: {} },
      'recipients.1.name',
      'VALIDATION_ERROR',
    ],
    [
      'a code without a place',
      { phone: '+6281234566034', name: 'a', code: '1234' },
      'recipients.1.code',
      'VALIDATION_ERROR',
    ],
  ] as const)('with %s', async (_, recipient, path, code) => {
    const problem = expectProblem(await send([...people(1), recipient]), code);
    expect(problem.errors).toMatchObject([{ path }]);
    await server.clock.advance(2_000);
    expect(await stored()).toEqual([]);
    expect((await server.call('GET', 'bulk')).body.data).toEqual([]);
    expect(await server.app.database.reader.selectFrom('bulk_recipients').selectAll().execute()).toEqual([]);
  });

  test.each([
    ['a section', 'Hello {{#name}}'],
    ['a placeholder that is not closed', 'Hello {{name'],
    ['two codes', 'Hello {{code}} {{code}}'],
  ])('with %s in the template', async (_, template) => {
    const answer = await send(people(1), template);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'VALIDATION_ERROR', errors: [{ path: 'template' }] });
  });

  test('with a recipient that the channel cannot reach', async () => {
    const answer = await send([...people(1), { email: 'a@example.com', name: 'a' }], PLAIN, {
      channel: 'whatsapp',
    });
    expect(expectProblem(answer, 'VALIDATION_ERROR').errors).toMatchObject([{ path: 'recipients.1.phone' }]);
  });

  test('with no recipients, or too many', async () => {
    expectProblem(await send([]), 'VALIDATION_ERROR');
    expectProblem(await send(people(1_001)), 'VALIDATION_ERROR');
  });

  test('with a longer life of the codes than is allowed', async () => {
    const problem = expectProblem(
      await send(people(1), WITH_CODE, { expiryMinutes: 30 }),
      'VALIDATION_ERROR',
    );
    expect(problem.errors).toMatchObject([{ path: 'expiryMinutes' }]);
  });
});

test('JSON has everything in the body: what is in the query as well is refused', async () => {
  const body = { recipients: people(1), template: PLAIN };
  const problem = expectProblem(
    await server.call('POST', 'bulk/send?purpose=login', { body }),
    'VALIDATION_ERROR',
  );
  expect(problem.errors).toMatchObject([{ path: 'purpose' }]);
});

describe('a file', () => {
  test('is sent as it is', async () => {
    const [a, b] = phones(2);
    const answer = await sendFile(`\ufeffphone;name\r\n${a};Ayu\r\n="${b!.slice(1)}";"Budi ""B"""\r\n`);
    expect(answer.body.data).toMatchObject({ total: 2, duplicates: 0, rejected: 0 });
    const id = await accepted(answer);
    await ended(id);
    expect(await to.inbox(b!)).toMatchObject([{ text: 'Hello Budi "B", the shop is open.' }]);
    expect(await results(id)).toMatchObject([
      { line: 2, phone: a },
      { line: 3, phone: b },
    ]);
  });

  test('with rows that cannot be read is refused with all of them by line, and nothing is sent', async () => {
    const problem = expectProblem(
      await sendFile(`phone,name\n${newPhone()},a\n12,b\n${newPhone()}\n6.28E+11,c\n${newPhone()},\n`),
      'VALIDATION_ERROR',
    );
    expect(problem.errors!.map(({ path }) => path)).toEqual(['line 3', 'line 4', 'line 5', 'line 6']);
    expect(problem.errors![2]!.message).toMatch(/^In line 5: A spreadsheet has rounded the number/);
    await server.clock.advance(2_000);
    expect(await stored()).toEqual([]);
  });

  test('takes what a send has beside the rows from the query', async () => {
    const phone = newPhone();
    const query = {
      template: WITH_CODE,
      purpose: 'login',
      expiryMinutes: '3',
      channel: 'whatsapp',
      metadata: '{"campaign":"x"}',
    };
    const id = await accepted(await sendFile(`phone,name\n${phone},a\n`, query));
    await ended(id);
    const [{ verificationId }] = await results(id);
    expect((await to.read(verificationId)).body.data).toMatchObject({ purpose: 'login', phone });
    expect(await status(id)).toMatchObject({ metadata: { campaign: 'x' } });
  });

  test('needs a template in the query, and takes nothing else', async () => {
    expectProblem(await sendFile(`phone\n${newPhone()}\n`, {}), 'VALIDATION_ERROR');
    expectProblem(await sendFile(`phone\n${newPhone()}\n`, { template: 'x', nope: '1' }), 'VALIDATION_ERROR');
    expectProblem(
      await sendFile(`phone\n${newPhone()}\n`, { template: 'x', metadata: '{' }),
      'VALIDATION_ERROR',
    );
  });

  test('has 10,000 rows at most', async () => {
    const rows = Array.from({ length: 10_001 }, (_, i) => `+62813${String(10_000_000 + i)}`);
    const problem = expectProblem(
      await sendFile(`phone\n${rows.join('\n')}\n`, { template: 'x', dryRun: 'true' }),
      'VALIDATION_ERROR',
    );
    expect(problem.errors).toMatchObject([{ path: 'line 10002' }]);
  });

  test('has 10 MB at most', async () => {
    const refused = expectProblem(
      await sendFile(Buffer.alloc(10 * 1_048_576 + 1, 0x61)),
      'PAYLOAD_TOO_LARGE',
    );
    expect(refused.detail).toBe('The body is larger than 10 MB.');
    const json = expectProblem(await send([{ phone: 'x'.repeat(1_048_577) }]), 'PAYLOAD_TOO_LARGE');
    expect(json.detail).toBe('The body is larger than 1 MB.');
  });

  test('is taken by no other route', async () => {
    const options = { body: 'phone\n1\n', headers: { 'content-type': 'text/csv' } };
    expectProblem(await server.call('POST', 'otp/send', options), 'UNSUPPORTED_MEDIA_TYPE');
  });
});

describe('a dry run', () => {
  test('checks everything, answers with the counts, and stores and sends nothing', async () => {
    const [out, other] = people(2);
    await server.call('POST', 'opt-outs', { body: { phone: out!.phone }, asAdmin: true });
    const body = { recipients: [out, other, other], template: PLAIN };
    const answer = await server.call('POST', 'bulk/send?dryRun=true', { body });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toMatchObject({ total: 2, duplicates: 1, rejected: 1 });
    expect(answer.body.data).not.toHaveProperty('bulkId');
    await server.clock.advance(2_000);
    expect(await stored()).toEqual([]);
    expect(await server.app.database.reader.selectFrom('bulks').selectAll().execute()).toEqual([]);
  });

  test('refuses what a send would refuse', async () => {
    const answer = await sendFile('phone\n12\n', { template: 'x', dryRun: 'true' });
    expect(expectProblem(answer, 'VALIDATION_ERROR').errors).toMatchObject([{ path: 'line 2' }]);
  });
});

describe('with an Idempotency-Key', () => {
  test('a repeated request gets the first answer again, and nobody gets a second message', async () => {
    const file = `phone,name\n${phones(3).join(',a\n')},a\n`;
    const key = { 'idempotency-key': 'once' };
    const first = await sendFile(file, { template: PLAIN }, key);
    const again = await sendFile(file, { template: PLAIN }, key);
    expect(again.status).toBe(202);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    await ended(await accepted(first));
    expect(await stored()).toHaveLength(3);
    expect(await server.app.database.reader.selectFrom('bulks').selectAll().execute()).toHaveLength(1);
    expectProblem(
      await sendFile(`${file}\n${newPhone()},b\n`, { template: PLAIN }, key),
      'IDEMPOTENCY_MISMATCH',
    );
    expectProblem(await sendFile('name\na\n', { template: PLAIN }, key), 'IDEMPOTENCY_MISMATCH');
  });

  test('a repeated request is answered as the first though it would be refused by now', async () => {
    const template = { code: 'open', name: 'Open', content: 'Hi {{name}}, we are open.', language: 'en' };
    const { body } = await server.call('POST', 'templates', { body: template });
    const request = { templateCode: 'open', recipients: people(2) };
    const repeat = () =>
      server.call('POST', 'bulk/send', { body: request, headers: { 'idempotency-key': 'gone' } });
    const first = await repeat();
    await ended(await accepted(first));
    await server.call('DELETE', `templates/${body.data.id}`);
    const again = await repeat();
    expect([again.status, again.body]).toEqual([202, first.body]);
    expectProblem(await server.call('POST', 'bulk/send', { body: request }), 'TEMPLATE_NOT_FOUND');
  });
});

describe('a job that runs', () => {
  const fault = () => to.fault({ delayMs: 60_000 });

  test('puts a few messages at a time into the outbox, and single sends go before them', async () => {
    await fault();
    const id = await accepted(await send(people(300)));
    await server.clock.advance(2_000);
    const waiting = await stored();
    expect(waiting.length).toBeGreaterThan(0);
    expect(waiting.length).toBeLessThanOrEqual(250);
    await to.fault({});
    const phone = newPhone();
    await to.sent({ phone });
    await server.clock.advance(1_000);
    expect(await to.inbox(phone)).toHaveLength(1);
    expect(await status(id)).toMatchObject({ status: 'processing' });
    await server.clock.advance(MINUTE_MS);
  });

  test('is paused and resumed', async () => {
    const id = await accepted(await send(people(200)));
    expect((await act(id, 'pause')).body.data).toMatchObject({ status: 'paused', processed: 0 });
    await server.clock.advance(5_000);
    expect(await stored()).toEqual([]);
    expect(await status(id)).toMatchObject({ status: 'paused', etaSeconds: null });
    expect((await act(id, 'pause')).body.data).toMatchObject({ status: 'paused' });
    expect((await act(id, 'resume')).body.data).toMatchObject({ status: 'processing' });
    expect(await ended(id)).toMatchObject({ status: 'completed', successful: 200 });
    expectProblem(await act(id, 'pause'), 'CONFLICT');
    expectProblem(await act(id, 'resume'), 'CONFLICT');
    expectProblem(await act(id, 'cancel'), 'CONFLICT');
  });

  test('is canceled: nothing more is sent, and the results say who was reached', async () => {
    const recipients = people(200);
    const id = await accepted(await send(recipients, WITH_CODE));
    await server.clock.advance(1_020);
    const answer = await act(id, 'cancel');
    const { status: now, successful, failed, canceled, total } = answer.body.data;
    expect(now).toBe('canceled');
    expect(canceled).toBeGreaterThan(0);
    const bulk = await ended(id);
    expect(bulk.successful + bulk.failed + bulk.canceled).toBe(total);
    expect(bulk.successful).toBeGreaterThanOrEqual(successful);
    expect(failed).toBe(0);
    await to.deliver();
    const rows = await results(id);
    for (const { phone, status: state } of rows) {
      expect((await to.inbox(phone)).length, phone).toBe(state === 'canceled' ? 0 : 1);
    }
    expect(rows.filter((row: Row) => row.status === 'canceled')).toHaveLength(bulk.canceled);
    expect((await act(id, 'cancel')).body.data).toMatchObject({ status: 'canceled' });
  });

  test('ends with an event', async () => {
    const id = await accepted(await send(people(2)));
    await ended(id);
    const rows = await server.app.database.reader
      .selectFrom('events')
      .select(['type', 'subject', 'data'])
      .where('type', 'in', ['bulk.completed', 'bulk.canceled'])
      .execute();
    expect(rows).toMatchObject([{ type: 'bulk.completed', subject: id }]);
    expect(JSON.parse(rows[0]!.data!)).toEqual({
      bulkId: id,
      total: 2,
      successful: 2,
      failed: 0,
      rejected: 0,
      canceled: 0,
    });
  });

  test('says whose message no channel took', async () => {
    const [bad, good] = people(2);
    await to.fault({ to: bad!.phone, notOnWhatsApp: true });
    const id = await accepted(await send([bad!, good!]));
    expect(await ended(id)).toMatchObject({ processed: 2, successful: 1, failed: 1, rejected: 0 });
    expect(await results(id)).toMatchObject([{ status: 'failed', reason: expect.any(String) }, {}]);
  });
});

describe('reading', () => {
  test('lists each job once, newest first, page by page, while others are added', async () => {
    const ids: string[] = [];
    const add = async () => {
      ids.unshift(await accepted(await send(people(1))));
      await server.clock.advance(1);
    };
    for (let made = 0; made < 3; made++) await add();
    const first = await server.call('GET', 'bulk?limit=2');
    expect(first.body.data.map((bulk: Row) => bulk.bulkId)).toEqual(ids.slice(0, 2));
    await add();
    ids.shift();
    const second = await server.call('GET', `bulk?limit=2&cursor=${first.body.page.next}`);
    expect(second.body.data.map((bulk: Row) => bulk.bulkId)).toEqual(ids.slice(2));
    expect(second.body.page.next).toBeNull();
  });

  test('gives the results page by page, and as one file', async () => {
    const recipients = people(5);
    const id = await accepted(await send(recipients));
    await ended(id);
    const first = await server.call('GET', `bulk/${id}/results?limit=3`);
    const second = await server.call('GET', `bulk/${id}/results?limit=3&cursor=${first.body.page.next}`);
    const all = [...first.body.data, ...second.body.data];
    expect(all.map(({ phone }) => phone)).toEqual(recipients.map(({ phone }) => phone));
    const file = await server.call('GET', `bulk/${id}/results`, { headers: { accept: 'text/csv' } });
    expect(file.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const [head, ...lines] = file.text.trimEnd().split('\r\n');
    expect(head).toBe('phone,status,reason,messageId,verificationId,email,line');
    expect(lines).toEqual(
      all.map(({ phone, status: state, messageId, line }) => `'${phone},${state},,${messageId},,,${line}`),
    );
  });

  test('knows no job of another project, and needs the permission', async () => {
    const id = await accepted(await send(people(1)));
    for (const path of [`status/${id}`, `${id}/results`]) {
      const answer = await server.call('GET', `bulk/${path}`.replace(id, 'blk_01jd3x8zq2e6v9k5m7n0p4r8st'));
      expectProblem(answer, 'RESOURCE_NOT_FOUND');
    }
    expectProblem(await act('blk_nope', 'cancel'), 'RESOURCE_NOT_FOUND');
    const { body } = await server.call('POST', 'keys', {
      body: { name: 'other', permissions: ['otp:send'] },
      asAdmin: true,
    });
    expectProblem(await server.call('GET', 'bulk', { key: body.data.key }), 'FORBIDDEN');
  });
});

test('a job is forgotten with its recipients and messages when it is old', async () => {
  const id = await accepted(await send(people(3)));
  await ended(id);
  await to.jump(31 * DAY_MS);
  await to.jump(11 * MINUTE_MS);
  expectProblem(await server.call('GET', `bulk/status/${id}`), 'RESOURCE_NOT_FOUND');
  expect(await stored()).toEqual([]);
  expect(await server.app.database.reader.selectFrom('bulk_recipients').selectAll().execute()).toEqual([]);
});

test('a job whose request was cut off is never seen, nothing of it is sent, and it is forgotten', async () => {
  const { database } = server.app;
  const id = await accepted(await send(people(3)));
  await database.transaction((trx) =>
    trx.updateTable('bulks').set({ status: 'accepting' }).where('id', '=', id).execute(),
  );
  await server.clock.advance(3_000);
  expect(await stored()).toEqual([]);
  expectProblem(await server.call('GET', `bulk/status/${id}`), 'RESOURCE_NOT_FOUND');
  expect((await server.call('GET', 'bulk')).body.data).toEqual([]);
  await to.jump(61 * MINUTE_MS);
  await to.jump(11 * MINUTE_MS);
  expect(await database.reader.selectFrom('bulks').selectAll().execute()).toEqual([]);
  expect(await database.reader.selectFrom('bulk_recipients').selectAll().execute()).toEqual([]);
});
