import { expect, test } from 'vitest';
import { verifyWebhook, WebhookVerificationError } from '../../sdk/src/index.ts';
import { newSecret, signatureHeaders } from '../../src/webhooks/signature.ts';

const AT = Date.UTC(2026, 10, 23, 12);
const BODY =
  '{"type":"otp.verified","timestamp":"2026-11-23T12:00:00.000Z","data":{"id":"ver_ä"},"event":"otp.verified"}';

function signed(secrets: string[], body = BODY): Record<string, string> {
  return signatureHeaders(secrets, { id: 'evt_01', at: AT, body });
}

test('what the server signed is its event, as text and as bytes, with any kind of headers', async () => {
  const secret = newSecret();
  const headers = signed([secret]);
  const event = { type: 'otp.verified', data: { id: 'ver_ä' } };
  expect(await verifyWebhook(BODY, headers, secret, { now: AT })).toMatchObject(event);
  const bytes = new TextEncoder().encode(BODY);
  expect(await verifyWebhook(bytes, new Headers(headers), secret, { now: AT })).toMatchObject(event);
  const titled = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]),
  );
  expect(await verifyWebhook(BODY, titled, secret, { now: AT })).toMatchObject(event);
});

test('either secret will do while one replaces the other', async () => {
  const [older, newer] = [newSecret(), newSecret()];
  const headers = signed([newer, older]);
  for (const secret of [older, newer, [newSecret(), older]]) {
    expect(await verifyWebhook(BODY, headers, secret, { now: AT })).toMatchObject({ type: 'otp.verified' });
  }
});

const secret = newSecret();
test.each([
  ['a changed body', { body: `${BODY} ` }, 'does not match'],
  ['another secret', { secret: newSecret() }, 'does not match'],
  ['another id', { headers: { 'webhook-id': 'evt_02' } }, 'does not match'],
  ['an old request', { now: AT + 301_000 }, 'too old'],
  ['a request from the future', { now: AT - 301_000 }, 'too old'],
  ['no timestamp', { headers: { 'webhook-timestamp': '' } }, 'missing'],
  ['a timestamp that is none', { headers: { 'webhook-timestamp': 'NaN' } }, 'too old'],
  ['a signature that is none', { headers: { 'webhook-signature': 'v1,%%% v2,AAAA v1' } }, 'does not match'],
  ['no secret', { secret: 'whsec_' }, 'secret'],
])('%s is refused', async (_what, change: Record<string, unknown>, words) => {
  const { body = BODY, now = AT } = change as { body?: string; now?: number };
  const headers = { ...signed([secret]), ...(change.headers as object) };
  const given = (change.secret as string) ?? secret;
  const verified = verifyWebhook(body, headers, given, { now });
  await expect(verified).rejects.toThrow(WebhookVerificationError);
  await expect(verified).rejects.toThrow(words);
});
