import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { expectOneEventPerChange, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const inIso = (ms: number) => new Date(server.clock.now() + ms).toISOString();

/** The one text that has arrived on a phone. */
async function arrived(phone: string): Promise<string> {
  await otp.deliver();
  const messages = await otp.inbox(phone);
  expect(messages).toHaveLength(1);
  return messages[0]!.text;
}

describe('the answer to a send', () => {
  test('is 201 with all a caller needs, and never holds the code', async () => {
    const phone = newPhone();
    const answer = await otp.send({ phone, code: '481516', message: 'Code 481516' });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      success: true,
      data: {
        id: expect.stringMatching(/^ver_[0-9a-z]{26}$/),
        messageId: expect.stringMatching(/^msg_[0-9a-z]{26}$/),
        phone,
        purpose: 'default',
        channel: 'simulator',
        plays: 'whatsapp',
        route: ['whatsapp'],
        nextAt: null,
        status: 'pending',
        messageStatus: 'queued',
        expiresAt: inIso(5 * 60_000),
        resendAt: inIso(30_000),
        attemptsRemaining: 5,
      },
    });
    expect(answer.text).not.toContain('481516');
  });

  test('comes before the message has left: a send waits for no channel', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, refuse: true });
    expect(await otp.sent({ phone })).toMatchObject({ status: 'pending', messageStatus: 'queued' });
  });
});

describe('a code that WOTP makes', () => {
  test('has six digits unless the request says otherwise', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    const code = /\d+/.exec(await arrived(phone))![0];
    expect(code).toMatch(/^\d{6}$/);
    expect((await otp.check({ id, code })).status).toBe(200);
  });

  test.each([
    [6, 'numeric', /^[0-9]{6}$/],
    [10, 'numeric', /^[0-9]{10}$/],
    [6, 'alphanumeric', /^[3-9AC-HJ-NP-RTWXY]{6}$/],
    [10, 'alphanumeric', /^[3-9AC-HJ-NP-RTWXY]{10}$/],
  ])('has %i symbols of the %s alphabet when asked to', async (length, alphabet, form) => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, length, alphabet, message: '>{{code}}<' });
    const code = (await arrived(phone)).slice(1, -1);
    expect(code).toMatch(form);
    expect((await otp.check({ id, code: code.toLowerCase() })).status).toBe(200);
  });

  test('differs from one verification to the next', async () => {
    const phones = Array.from({ length: 20 }, newPhone);
    for (const phone of phones) await otp.sent({ phone, length: 10, message: '{{code}}' });
    const codes = new Set<string>();
    for (const phone of phones) codes.add(await arrived(phone));
    expect(codes.size).toBe(phones.length);
  });
});

describe('a code that the caller gives', () => {
  test.each(['0000', '0123456789', 'abcd', 'Ab12Cd34Ef'])('is sent and verifies: %s', async (code) => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code });
    expect(await arrived(phone)).toContain(code);
    expect((await otp.check({ id, code })).status).toBe(200);
  });
});

describe('the text of a message', () => {
  test('without one, the code stands alone as its first run of digits', async () => {
    const phone = newPhone();
    await otp.sent({ phone, code: '481516', expiryMinutes: 10 });
    const text = await arrived(phone);
    expect(text).toMatch(/(?<![\p{L}\p{N}_])481516(?![\p{L}\p{N}_])/u);
    expect(/\d{4,10}/.exec(text)![0]).toBe('481516');
  });

  test('{{code}} becomes the code wherever it stands', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, message: '{{code}} is your code. Again: {{code}}.' });
    const text = await arrived(phone);
    const [, code, again] = /^(\d{6}) is your code\. Again: (\d{6})\.$/.exec(text)!;
    expect(again).toBe(code);
    expect((await otp.check({ id, code })).status).toBe(200);
  });

  test('a code that is given takes the place of {{code}}', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: 'KT93', message: 'Type {{code}} now' });
    expect(await arrived(phone)).toBe('Type KT93 now');
    expect((await otp.check({ id, code: 'KT93' })).status).toBe(200);
  });

  test('a given code that the text holds is left as it stands', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: '4815', message: 'Order 99887766: 4815 (again 4815)' });
    expect(await arrived(phone)).toBe('Order 99887766: 4815 (again 4815)');
    expect((await otp.check({ id, code: '4815' })).status).toBe(200);
  });

  test('{{ code }} is filled too, and no digits beside it verify', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, message: 'Order 20261: your code is {{ code }}' });
    const [, code] = /^Order 20261: your code is (\d{6})$/.exec(await arrived(phone))!;
    expect((await otp.check({ id, code: '20261' })).status).toBe(422);
    expect((await otp.check({ id, code })).status).toBe(200);
  });

  test('with neither, its only run of 4 to 8 digits is the code', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, message: 'In 15 min: 162342. Really: 162342' });
    expect(await arrived(phone)).toBe('In 15 min: 162342. Really: 162342');
    expect((await otp.check({ id, code: '162342' })).status).toBe(200);
  });

  test('everything but the code arrives as it was written', async () => {
    const phone = newPhone();
    const message = '$& $1 $` \\n <b>{name}</b> {code} 🔑 שלום {{code}}';
    await otp.sent({ phone, code: '4815162342', message });
    expect(await arrived(phone)).toBe(message.replace('{{code}}', () => '4815162342'));
  });

  test('a code that reads "code" takes the place of {{code}} too', async () => {
    const phone = newPhone();
    await otp.sent({ phone, code: 'code', message: 'Type {{code}} now' });
    expect(await arrived(phone)).toBe('Type code now');
  });

  test('may have 4,096 characters', async () => {
    const phone = newPhone();
    const message = `{{code}}${'x'.repeat(4_088)}`;
    expect((await otp.send({ phone, message: `${message}x` })).status).toBe(400);
    await otp.sent({ phone, code: '4815', message });
    expect(await arrived(phone)).toBe(message.replace('{{code}}', '4815'));
  });
});

describe('how long a code lives', () => {
  test.each([
    [undefined, 5],
    [1, 1],
    [10, 10],
  ])('expiryMinutes %s: %i minutes', async (expiryMinutes, minutes) => {
    const { expiresAt } = await otp.sent({ phone: newPhone(), expiryMinutes });
    expect(expiresAt).toBe(inIso(minutes * 60_000));
  });
});

describe('metadata', () => {
  test('of up to 4 KB comes back with the verification', async () => {
    const metadata = { userId: 'u_42', nested: { tags: ['a', 1, null, true] }, pad: '' };
    const bytes = Buffer.byteLength(JSON.stringify(metadata));
    metadata.pad = `é${'x'.repeat(4_096 - bytes - 2)}`;
    expect(Buffer.byteLength(JSON.stringify(metadata))).toBe(4_096);
    const { id } = await otp.sent({ phone: newPhone(), metadata });
    expect((await otp.read(id)).body.data.metadata).toEqual(metadata);
    const tooLarge = { ...metadata, pad: `${metadata.pad}x` };
    expect((await otp.send({ phone: newPhone(), metadata: tooLarge })).status).toBe(400);
  });

  test('is null when there is none', async () => {
    const { id } = await otp.sent({ phone: newPhone() });
    expect((await otp.read(id)).body.data.metadata).toBeNull();
  });
});

describe('purposes', () => {
  test('on one phone have a verification and a code each', async () => {
    const phone = newPhone();
    const login = await otp.sent({ phone, purpose: 'login', code: '111111' });
    await otp.jump(30_000);
    const payment = await otp.sent({ phone, purpose: 'Pay.ment_2-x', code: '222222' });
    expect(payment.id).not.toBe(login.id);
    expect((await otp.check({ phone, purpose: 'login', code: '222222' })).status).toBe(422);
    expect((await otp.check({ phone, code: '111111' })).status).toBe(404);
    expect((await otp.check({ phone, purpose: 'Pay.ment_2-x', code: '222222' })).status).toBe(200);
    expect((await otp.read(login.id)).body.data.status).toBe('pending');
    expect((await otp.check({ phone, purpose: 'login', code: '111111' })).status).toBe(200);
  });
});

describe('a request that is refused changes nothing', () => {
  test.each<[string, object]>([
    ['code', { code: '123' }],
    ['code', { code: '12345678901' }],
    ['code', { code: '12 34' }],
    ['code', { code: '１２３４５６' }],
    ['code', { code: '١٢٣٤٥٦' }],
    ['code', { code: '' }],
    ['code', { code: 123456 }],
    ['length', { length: 5 }],
    ['length', { length: 11 }],
    ['length', { length: 6.5 }],
    ['length', { length: '6' }],
    ['length', { length: 8, code: '123456' }],
    ['alphabet', { alphabet: 'hex' }],
    ['message', { message: '' }],
    ['message', { message: 'There is no code here' }],
    ['message', { message: 'Only 123 here' }],
    ['message', { message: 'Your code is 654321', code: '123456' }],
    ['message', { message: 'Your code is ١٢٣٤٥٦' }],
    ['message', { message: 'Order 20261: your code is 482913' }],
    ['message', { message: 'Hello {{name}}, your code is {{code}}' }],
    ['message', { message: 'Hello {{name}}, your code is 482913', code: '482913' }],
    ['purpose', { purpose: '' }],
    ['purpose', { purpose: 'x'.repeat(41) }],
    ['purpose', { purpose: 'log in' }],
    ['purpose', { purpose: 'überweisung' }],
    ['expiryMinutes', { expiryMinutes: 0 }],
    ['expiryMinutes', { expiryMinutes: 11 }],
    ['expiryMinutes', { expiryMinutes: 61 }],
    ['expiryMinutes', { expiryMinutes: 1.5 }],
    ['expiryMinutes', { expiryMinutes: '5' }],
    ['channel', { channel: 'pigeon' }],
    ['clientIp', { clientIp: '203.0.113' }],
    ['clientIp', { clientIp: 'localhost' }],
    ['metadata', { metadata: 'text' }],
    ['metadata', { metadata: ['list'] }],
    ['template', { template: 'Welcome OTP' }],
    ['variables', { variables: {} }],
    ['locale', { locale: 'English!' }],
    ['phoneNumber', { phoneNumber: '+6281234566034' }],
  ])('%s: %o', async (path, extra) => {
    const phone = newPhone();
    const refusal = await otp.send({ phone, ...extra });
    expect(refusal.status).toBe(400);
    expect(refusal.body).toMatchObject({ success: false, code: 'VALIDATION_ERROR' });
    expect(refusal.body.errors.map((problem: { path: string }) => problem.path)).toContain(path);
    expect(await otp.messagesTo(phone)).toBe(0);
    await otp.sent({ phone });
  });

  test('without a phone', async () => {
    const refusal = await otp.send({ code: '123456' });
    expect(refusal.body).toMatchObject({ code: 'VALIDATION_ERROR', errors: [{ path: 'phone' }] });
  });

  test('a number that cannot exist', async () => {
    const refusal = await otp.send({ phone: '+62 12' });
    expect(refusal.status).toBe(400);
    expect(refusal.body).toMatchObject({ code: 'PHONE_INVALID', errors: [{ path: 'phone' }] });
  });

  test('a premium-rate number', async () => {
    const refusal = await otp.send({ phone: '+1 900 234 5678' });
    expect(refusal.status).toBe(403);
    expect(refusal.body.code).toBe('PHONE_NOT_ALLOWED');
  });
});

test('every change made here has exactly one event', () => expectOneEventPerChange(server));
