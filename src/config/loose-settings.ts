import type { Config } from './config.ts';

/** One sentence for each setting that is looser than the safe bound; to be printed at the start. */
export function looseSettings({ otp, limits, bot }: Config): string[] {
  const sentences: string[] = [];
  if (otp.resendSeconds < 30) {
    sentences.push(
      `OTP_RESEND_SECONDS is ${otp.resendSeconds}: a code can be sent again sooner than the safe 30 s.`,
    );
  }
  if (otp.maxExpiryMinutes > 10) {
    sentences.push(
      `OTP_MAX_EXPIRY_MINUTES is ${otp.maxExpiryMinutes}: a code may live longer than the safe 10 minutes.`,
    );
  }
  if (limits.phonePer10Minutes > 5) {
    sentences.push(
      `PHONE_LIMIT_PER_10_MINUTES is ${limits.phonePer10Minutes}: a phone can get more than the safe 5 messages.`,
    );
  }
  if (limits.phonePerDay > 10) {
    sentences.push(
      `PHONE_LIMIT_PER_DAY is ${limits.phonePerDay}: a phone can get more than the safe 10 messages.`,
    );
  }
  if (limits.sendsPerClientIp === 0) {
    sentences.push('SENDS_PER_CLIENT_IP is 0: one client can have codes sent to any number of phones.');
  }
  if (limits.sendsPerPrefix === 0) {
    sentences.push('SENDS_PER_PREFIX is 0: nothing stops sends to a whole block of neighboring numbers.');
  }
  if (bot.socketUrl?.startsWith('ws:')) {
    sentences.push(
      'BOT_SOCKET_URL is not a wss address: nothing proves that what answers there is WhatsApp.',
    );
  }
  return sentences;
}
