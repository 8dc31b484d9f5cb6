import { expect, onTestFinished, test } from 'vitest';
import { startTestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

test('a setting changed on one node is in force on another within a second, and so is one that is unset', async () => {
  const server = await startTestApp({ env: QUICK_ADMIN });
  onTestFinished(() => server.stop());
  const { clock, key, adminPassword } = server;
  const other = await startTestApp({ env: QUICK_ADMIN, clock, sharing: server, key, adminPassword });
  onTestFinished(() => other.stop());
  const put = (body: object) => server.call('PUT', 'settings', { asAdmin: true, body });
  const lengthOnOther = async () => {
    const { body } = await other.call('POST', 'otp/send', { body: { phone: newPhone() } });
    const row = other.app.database.reader.selectFrom('verifications').select('code_length');
    return (await row.where('id', '=', body.data.id).executeTakeFirstOrThrow()).code_length;
  };

  expect(await lengthOnOther()).toBe(6);
  await put({ OTP_LENGTH: 8 });
  await clock.advance(1_000);
  expect(await lengthOnOther()).toBe(8);

  expect((await put({ OTP_LENGTH: 4 })).status).toBe(400);
  await clock.advance(1_000);
  expect(await lengthOnOther()).toBe(8);

  const { body } = await other.call('PUT', 'settings', { asAdmin: true, body: { OTP_LENGTH: null } });
  expect(body.data).toMatchObject([{ key: 'OTP_LENGTH', value: 6, setBy: 'default' }]);
  expect(await lengthOnOther()).toBe(6);
  await clock.advance(1_000);
  const { body: settings } = await server.call('GET', 'settings', { asAdmin: true });
  expect(settings.data).toContainEqual(expect.objectContaining({ key: 'OTP_LENGTH', setBy: 'default' }));
});
