import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { newSecret, signatureHeaders } from './signature.ts';

const BODY = '{"type":"otp.verified","timestamp":"2026-11-30T09:00:00.000Z","data":{"id":"v_1"}}';

describe('a signature', () => {
  test('is the one of the test vector', () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    expect(signatureHeaders([secret], { id: 'msg_1', at: 1_796_031_652_999, body: BODY })).toEqual({
      'webhook-id': 'msg_1',
      'webhook-timestamp': '1796031652',
      'webhook-signature': 'v1,dBH5wXyYhkiux0UuOopfhz6slifBX9UmKAKbwnCsMqM=',
    });
  });

  test('verifies with each of the secrets that signed, and with no other', () => {
    const [older, newer] = [newSecret(), newSecret()];
    const headers = signatureHeaders([newer, older], { id: 'evt_1', at: Date.now(), body: BODY });
    for (const secret of [older, newer]) {
      expect(new Webhook(secret).verify(BODY, headers)).toEqual(JSON.parse(BODY));
    }
    expect(() => new Webhook(newSecret()).verify(BODY, headers)).toThrow('No matching signature');
  });

  test('does not verify with another body, another id or an old timestamp', () => {
    const secret = newSecret();
    const webhook = new Webhook(secret);
    const headers = signatureHeaders([secret], { id: 'evt_1', at: Date.now(), body: BODY });
    expect(() => webhook.verify(`${BODY} `, headers)).toThrow('No matching signature');
    expect(() => webhook.verify(BODY, { ...headers, 'webhook-id': 'evt_2' })).toThrow(
      'No matching signature',
    );
    const old = signatureHeaders([secret], { id: 'evt_1', at: Date.now() - 301_000, body: BODY });
    expect(() => webhook.verify(BODY, old)).toThrow('too old');
  });

  test('has a secret of 32 random bytes', () => {
    const secrets = Array.from({ length: 100 }, newSecret);
    expect(new Set(secrets).size).toBe(100);
    for (const secret of secrets) expect(Buffer.from(secret.slice(6), 'base64')).toHaveLength(32);
  });
});
