import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HttpProviders, openHttpProviders, PUBLIC_URL } from '../../../test/support/http-providers.ts';
import {
  answering,
  type ProviderStandIn,
  type Reaction,
  type Received,
  startProvider,
} from '../../../test/support/provider-stand-in.ts';
import type { SendError } from '../../messages/channel.ts';

const PAGE = readFileSync(new URL('../../../docs/PROVIDERS.md', import.meta.url), 'utf8');
const TO = '+6281234500001';
const DIGITS = TO.slice(1);
const TEXT = 'Kode Anda 481516. Jangan bagikan & simpan +.';
const CALLBACK_TOKEN = 'a-token-for-callbacks';

let vendor: ProviderStandIn;
let open: HttpProviders;

beforeEach(async () => {
  vendor = await startProvider();
});
afterEach(async () => {
  await open.stop();
  await vendor.stop();
});

/** The example of a section of the page, as it stands there but for the host, which is this machine. */
async function example(section: string, env: Record<string, string>): Promise<string> {
  const [, block] =
    new RegExp(`^## ${section}\n[\\s\\S]*?\`\`\`json\n([\\s\\S]*?)\`\`\``, 'm').exec(PAGE) ?? [];
  const content = JSON.parse(block!);
  const [provider] = content.providers;
  const [, host] = /^https:\/\/([^/]+)/.exec(provider.url)!;
  provider.url = provider.url.replace(/^https:\/\/[^/]+/, vendor.origin);
  open = await openHttpProviders(content, env);
  return host!;
}

async function sent(to = TO) {
  const message = open.message({ to, text: TEXT });
  const outcome = await open.send(message).catch(({ failure, reason }: SendError) => ({ failure, reason }));
  return { id: message.id, outcome };
}
const outcomeTo = async (to?: string) => (await sent(to)).outcome;

type Answering<T> = (request: Received) => T;

/** Answers as a vendor: `check` says why it refuses a request, or nothing. */
function vendorThat(check: Answering<Reaction | undefined>, accept: Answering<Reaction>): void {
  vendor.always((response, request) => (check(request) ?? accept(request))(response, request));
}

const callbackUrl = (name: string) => `${PUBLIC_URL}/api/v1/channels/http/${name}/callback`;
const json = { 'content-type': 'application/json' };
const form = { 'content-type': 'application/x-www-form-urlencoded' };

describe('the example for Twilio', () => {
  const ACCOUNT = 'AC00000000000000000000000000000001';
  const env = {
    TWILIO_ACCOUNT_SID: ACCOUNT,
    TWILIO_AUTH_TOKEN: 'twilio-auth-token',
    TWILIO_FROM: '+15005550006',
  };
  const refusal = (status: number, code: number) =>
    answering(status, {
      code,
      message: `'To' ${TO} is not good`,
      more_info: 'https://www.twilio.com/docs',
      status,
    });

  /** https://www.twilio.com/docs/usage/security: the address, then the fields of the form by name, base64 of HMAC-SHA1. */
  function signed(url: string, fields: Record<string, string>) {
    const text =
      url +
      Object.keys(fields)
        .sort()
        .map((name) => name + fields[name])
        .join('');
    return {
      ...form,
      'x-twilio-signature': createHmac('sha1', 'twilio-auth-token').update(text).digest('base64'),
    };
  }

  test('sends, and understands what Twilio answers and reports', async () => {
    expect(await example('Twilio', env)).toBe('api.twilio.com');
    vendorThat(
      ({ headers, body }) => {
        if (headers.authorization !== `Basic ${btoa(`${ACCOUNT}:twilio-auth-token`)}`)
          return refusal(401, 20003);
        return new URLSearchParams(body).get('To')?.startsWith('+62') ? undefined : refusal(400, 21211);
      },
      () => answering(201, { sid: 'SM1', status: 'queued', error_code: null }),
    );
    expect(await outcomeTo()).toEqual({ providerId: 'twilio:SM1' });
    expect(vendor.received[0]).toMatchObject({
      method: 'POST',
      path: `/2010-04-01/Accounts/${ACCOUNT}/Messages.json`,
    });
    expect(Object.fromEntries(new URLSearchParams(vendor.received[0]!.body))).toEqual({
      To: TO,
      From: '+15005550006',
      Body: TEXT,
      ValidityPeriod: '300',
      StatusCallback: callbackUrl('twilio'),
    });
    expect(await outcomeTo('+15005550001')).toEqual({
      failure: 'permanent',
      reason: 'twilio: code is 21211',
    });
    for (const MessageStatus of ['sent', 'delivered', 'undelivered']) {
      const fields = { MessageSid: 'SM1', MessageStatus, AccountSid: ACCOUNT };
      const body = new URLSearchParams(fields).toString();
      expect(await open.callback(callbackUrl('twilio'), signed(callbackUrl('twilio'), fields), body)).toBe(
        200,
      );
      expect(await open.callback(callbackUrl('twilio'), form, body)).toBe(401);
      expect(await open.callback(callbackUrl('twilio'), signed('https://evil.example', fields), body)).toBe(
        401,
      );
    }
    expect(open.receipts).toEqual([
      { providerId: 'twilio:SM1', status: 'delivered' },
      { providerId: 'twilio:SM1', status: 'failed', reason: 'twilio: undelivered' },
    ]);
    expect(open.channel.capabilities.receipts).toBe('read');
  });

  test.each([
    [refusal(400, 21610), 'permanent', 'code is 21610'],
    [refusal(429, 20429), 'temporary', 'code is 20429'],
    [answering(503, '<html>'), 'temporary', 'HTTP 503'],
    [refusal(401, 20003), 'unavailable', 'code is 20003'],
    [refusal(400, 21606), 'unavailable', 'code is 21606'],
    [answering(401, 'no'), 'unavailable', 'HTTP 401'],
  ])('knows a refusal from another', async (reaction, failure, reason) => {
    await example('Twilio', env);
    vendor.always(reaction);
    expect(await outcomeTo()).toEqual({ failure, reason: `twilio: ${reason}` });
  });
});

describe('the example for Vonage', () => {
  const env = {
    VONAGE_KEY: 'key-of-vonage',
    VONAGE_SECRET: 'secret-of-vonage',
    VONAGE_FROM: 'Acme',
    VONAGE_CALLBACK_TOKEN: CALLBACK_TOKEN,
  };
  // Always 200: what became of the message is in it.
  const says = (status: string, more = {}) =>
    answering(200, { 'message-count': '1', messages: [{ status, ...more }] });

  test('sends, and understands what Vonage answers and reports', async () => {
    expect(await example('Vonage', env)).toBe('rest.nexmo.com');
    vendorThat(
      ({ body }) => {
        const { api_key, api_secret, to } = JSON.parse(body);
        if (api_key !== 'key-of-vonage' || api_secret !== 'secret-of-vonage') return says('4');
        return /^62\d+$/.test(to) ? undefined : says('3', { 'error-text': 'Invalid to' });
      },
      () => says('0', { 'message-id': 'A1B2', 'remaining-balance': '3.1' }),
    );
    const { id, outcome } = await sent();
    expect(outcome).toEqual({ providerId: 'vonage:A1B2' });
    expect(vendor.received[0]!.path).toBe('/sms/json');
    const url = `${callbackUrl('vonage')}?token=${CALLBACK_TOKEN}`;
    expect(JSON.parse(vendor.received[0]!.body)).toEqual({
      api_key: 'key-of-vonage',
      api_secret: 'secret-of-vonage',
      from: 'Acme',
      to: DIGITS,
      text: TEXT,
      type: 'unicode',
      'client-ref': id,
      callback: url,
    });
    const abroad = await outcomeTo('+15005550001');
    expect(abroad).toEqual({ failure: 'permanent', reason: 'vonage: messages.0.status is 3' });
    const report = { messageId: 'A1B2', msisdn: DIGITS, status: 'delivered', 'err-code': '0' };
    expect(await open.callback(url, json, JSON.stringify(report))).toBe(200);
    expect(await open.callback(url, form, 'messageId=A1B2&status=expired')).toBe(200);
    expect(await open.callback(url, form, 'messageId=A1B2&status=accepted')).toBe(200);
    expect(await open.callback(callbackUrl('vonage'), json, JSON.stringify(report))).toBe(401);
    expect(open.receipts).toEqual([
      { providerId: 'vonage:A1B2', status: 'delivered' },
      { providerId: 'vonage:A1B2', status: 'failed', reason: 'vonage: expired' },
    ]);
  });

  test.each([
    ['1', 'temporary'],
    ['5', 'temporary'],
    ['7', 'permanent'],
    ['4', 'unavailable'],
    ['9', 'unavailable'],
  ])('knows the status %s', async (status, failure) => {
    await example('Vonage', env);
    vendor.always(says(status));
    expect(await outcomeTo()).toEqual({ failure, reason: `vonage: messages.0.status is ${status}` });
  });
});

describe('the example for Infobip', () => {
  const env = {
    INFOBIP_HOST: 'abcde.api.infobip.com',
    INFOBIP_KEY: 'key-of-infobip',
    INFOBIP_FROM: 'Acme',
    INFOBIP_CALLBACK_TOKEN: CALLBACK_TOKEN,
  };
  const says = (groupName: string, messageId: string) =>
    answering(200, { bulkId: '1', messages: [{ messageId, status: { groupName, name: `${groupName}_X` } }] });

  const UNAUTHORIZED = {
    requestError: { serviceException: { messageId: 'UNAUTHORIZED', text: 'Invalid login' } },
  };

  test('sends, and understands what Infobip answers and reports', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the host is a variable of the example
    expect(await example('Infobip', env)).toBe('${INFOBIP_HOST}');
    const destinationOf = (body: string) => JSON.parse(body).messages[0].destinations[0];
    vendorThat(
      ({ headers, body }) => {
        if (headers.authorization !== 'App key-of-infobip') return answering(401, UNAUTHORIZED);
        return destinationOf(body).to.startsWith('62')
          ? undefined
          : says('REJECTED', destinationOf(body).messageId);
      },
      ({ body }) => says('PENDING', destinationOf(body).messageId),
    );
    const { id, outcome } = await sent();
    expect(outcome).toEqual({ providerId: `infobip:${id}` });
    expect(vendor.received[0]!.path).toBe('/sms/3/messages');
    const url = `${callbackUrl('infobip')}?token=${CALLBACK_TOKEN}`;
    expect(JSON.parse(vendor.received[0]!.body)).toEqual({
      messages: [
        {
          sender: 'Acme',
          destinations: [{ to: DIGITS, messageId: id }],
          content: { text: TEXT },
          webhooks: { delivery: { url } },
        },
      ],
    });
    const other = await sent('+15005550001');
    expect(other.outcome).toEqual({
      failure: 'permanent',
      reason: 'infobip: messages.0.status.groupName is REJECTED',
    });
    const result = (messageId: string, groupName: string) => ({
      messageId,
      to: DIGITS,
      status: { groupName },
    });
    const results = [result(id, 'DELIVERED'), result(other.id, 'UNDELIVERABLE'), result(id, 'PENDING')];
    expect(await open.callback(url, json, JSON.stringify({ results }))).toBe(200);
    expect(await open.callback(`${url}x`, json, JSON.stringify({ results }))).toBe(401);
    expect(open.receipts).toEqual([
      { messageId: id, status: 'delivered' },
      { messageId: other.id, status: 'failed', reason: 'infobip: UNDELIVERABLE' },
    ]);
  });

  test('stops for a key that is wrong, and not for an overload', async () => {
    await example('Infobip', { ...env });
    vendor.next(answering(429, {}), answering(401, UNAUTHORIZED));
    expect(await outcomeTo()).toEqual({ failure: 'temporary', reason: 'infobip: HTTP 429' });
    expect(await outcomeTo()).toEqual({ failure: 'unavailable', reason: 'infobip: HTTP 401' });
    expect(open.channel.readiness().state).toBe('offline');
  });
});

describe('the example for Fonnte', () => {
  const env = { FONNTE_TOKEN: 'token-of-fonnte', FONNTE_CALLBACK_TOKEN: CALLBACK_TOKEN };
  // Always 200.
  const refusal = (reason: string) => answering(200, { status: false, reason });

  test('sends, and understands what Fonnte answers and reports', async () => {
    expect(await example('Fonnte', env)).toBe('api.fonnte.com');
    vendorThat(
      ({ headers, body }) => {
        if (headers.authorization !== 'token-of-fonnte') return refusal('token invalid');
        return new URLSearchParams(body).get('target')?.startsWith('62')
          ? undefined
          : refusal('target invalid');
      },
      ({ body }) => {
        const target = [new URLSearchParams(body).get('target')];
        return answering(200, {
          detail: 'success! message in queue',
          id: ['80367170'],
          process: 'pending',
          status: true,
          target,
        });
      },
    );
    expect(await outcomeTo()).toEqual({ providerId: 'fonnte:80367170' });
    expect(vendor.received[0]!.path).toBe('/send');
    expect(Object.fromEntries(new URLSearchParams(vendor.received[0]!.body))).toEqual({
      target: DIGITS,
      message: TEXT,
      countryCode: '0',
    });
    const abroad = await outcomeTo('+15005550001');
    expect(abroad).toEqual({ failure: 'permanent', reason: 'fonnte: reason is target invalid' });
    const url = `${callbackUrl('fonnte')}?token=${CALLBACK_TOKEN}`;
    const report = {
      device: '628111',
      id: '80367170',
      stateid: 'S1',
      status: 'delivered',
      state: 'delivered',
    };
    expect(await open.callback(url, json, JSON.stringify(report))).toBe(200);
    // Later ones name a state, and no message.
    expect(
      await open.callback(url, json, JSON.stringify({ device: '628111', stateid: 'S1', state: 'read' })),
    ).toBe(200);
    expect(await open.callback(callbackUrl('fonnte'), json, JSON.stringify(report))).toBe(401);
    expect(open.receipts).toEqual([{ providerId: 'fonnte:80367170', status: 'delivered' }]);
  });

  test.each([
    ['token invalid', 'unavailable', 'reason is token invalid'],
    ['insufficient quota', 'unavailable', 'reason is insufficient quota'],
    ['device disconnected', 'temporary', 'status is false'],
  ])('knows the reason %s', async (reason, failure, said) => {
    await example('Fonnte', env);
    vendor.always(refusal(reason));
    expect(await outcomeTo()).toEqual({ failure, reason: `fonnte: ${said}` });
  });
});

describe('the example for Telegram Gateway', () => {
  const TOKEN = 'token-of-the-gateway';
  const env = { TELEGRAM_GATEWAY_TOKEN: TOKEN };
  const refusal = (error: string) => answering(200, { ok: false, error });

  test('sends, and understands what Telegram answers and reports', async () => {
    expect(await example('Telegram Gateway', env)).toBe('gatewayapi.telegram.org');
    vendorThat(
      ({ headers, body }) => {
        if (headers.authorization !== `Bearer ${TOKEN}`) return refusal('ACCESS_TOKEN_INVALID');
        const { phone_number, code, ttl, payload } = JSON.parse(body);
        if (!/^\d{4,8}$/.test(code)) return refusal('CODE_INVALID');
        if (typeof ttl !== 'number' || ttl < 30 || ttl > 3600) return refusal('TTL_INVALID');
        if (Buffer.byteLength(payload) > 128) return refusal('PAYLOAD_INVALID');
        return phone_number.startsWith('+62') ? undefined : refusal('PHONE_NUMBER_NOT_FOUND');
      },
      () =>
        answering(200, { ok: true, result: { request_id: '4711', phone_number: TO, request_cost: 0.01 } }),
    );
    const { id, outcome } = await sent();
    expect(outcome).toEqual({ providerId: 'telegram:4711' });
    expect(vendor.received[0]!.path).toBe('/sendVerificationMessage');
    expect(JSON.parse(vendor.received[0]!.body)).toEqual({
      phone_number: TO,
      code: '481516',
      ttl: 300,
      payload: id,
      callback_url: callbackUrl('telegram'),
    });
    const abroad = await outcomeTo('+15005550001');
    expect(abroad).toEqual({ failure: 'permanent', reason: 'telegram: error is PHONE_NUMBER_NOT_FOUND' });

    const key = createHash('sha256').update(TOKEN).digest();
    for (const status of ['sent', 'delivered', 'read', 'expired']) {
      const body = JSON.stringify({
        request_id: '4711',
        payload: id,
        delivery_status: { status, updated_at: 1 },
      });
      const signature = createHmac('sha256', key).update(`1796031652\n${body}`).digest('hex');
      const headers = { ...json, 'x-request-timestamp': '1796031652', 'x-request-signature': signature };
      expect(await open.callback(callbackUrl('telegram'), headers, body)).toBe(200);
      expect(await open.callback(callbackUrl('telegram'), headers, body.replace('4711', '4712'))).toBe(401);
    }
    expect(open.receipts.map(({ status }) => status)).toEqual(['delivered', 'read', 'failed']);
    expect(new Set(open.receipts.map(({ providerId }) => providerId))).toEqual(new Set(['telegram:4711']));
  });

  test.each([
    ['BALANCE_NOT_ENOUGH', 'unavailable', 'error is BALANCE_NOT_ENOUGH'],
    ['ACCESS_TOKEN_INVALID', 'unavailable', 'error is ACCESS_TOKEN_INVALID'],
    ['PHONE_NUMBER_INVALID', 'permanent', 'error is PHONE_NUMBER_INVALID'],
    ['INTERNAL_ERROR', 'temporary', 'error is INTERNAL_ERROR'],
    ['FLOOD_WAIT_9', 'permanent', 'HTTP 200'],
  ])('knows the error %s', async (error, failure, said) => {
    await example('Telegram Gateway', env);
    vendor.always(refusal(error));
    expect(await outcomeTo()).toEqual({ failure, reason: `telegram: ${said}` });
  });
});
