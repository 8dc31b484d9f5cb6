import { expect, it } from 'vitest';
import { loadConfig, looseSettings } from './config.ts';

it('the defaults, and anything tighter, are not loose', () => {
  expect(looseSettings(loadConfig({}))).toEqual([]);
  const tighter = { OTP_RESEND_SECONDS: '60', OTP_MAX_EXPIRY_MINUTES: '5', PHONE_LIMIT_PER_DAY: '3' };
  expect(looseSettings(loadConfig(tighter))).toEqual([]);
});

it('each setting looser than its safe bound is named with its value', () => {
  const sentences = looseSettings(
    loadConfig({
      OTP_RESEND_SECONDS: '29',
      OTP_MAX_EXPIRY_MINUTES: '11',
      PHONE_LIMIT_PER_10_MINUTES: '6',
      PHONE_LIMIT_PER_DAY: '12',
    }),
  );
  expect(sentences).toEqual([
    expect.stringMatching(/^OTP_RESEND_SECONDS is 29: /),
    expect.stringMatching(/^OTP_MAX_EXPIRY_MINUTES is 11: /),
    expect.stringMatching(/^PHONE_LIMIT_PER_10_MINUTES is 6: /),
    expect.stringMatching(/^PHONE_LIMIT_PER_DAY is 12: /),
  ]);
});
