import { integer } from './variable.ts';

/** How much is let through before the answer is 429. */
export const limitsVariables = {
  windowMs: integer({
    name: 'RATE_LIMIT_WINDOW_MS',
    min: 1000,
    max: 86_400_000,
    fallback: 3_600_000,
    help: 'The window that requests of one API key are counted in, in milliseconds.',
  }),
  maxRequests: integer({
    name: 'RATE_LIMIT_MAX',
    min: 1,
    max: 1_000_000_000,
    fallback: 10_000,
    help: 'Requests an API key may make in one window; a limit of its own on the key replaces this.',
  }),
  phonePer10Minutes: integer({
    name: 'PHONE_LIMIT_PER_10_MINUTES',
    min: 1,
    max: 1000,
    fallback: 5,
    help: 'Messages one phone number gets in 10 minutes; over 5 is less strict than recommended.',
  }),
  phonePerDay: integer({
    name: 'PHONE_LIMIT_PER_DAY',
    min: 1,
    max: 1000,
    fallback: 10,
    help: 'Messages one phone number gets in 24 hours; over 10 is less strict than recommended.',
  }),
  sendsPerClientIp: integer({
    name: 'SENDS_PER_CLIENT_IP',
    min: 0,
    max: 10_000,
    fallback: 30,
    help: 'Unverified sends an hour for one clientIp, where a send gives it; a verified code frees its send; 0 is no limit.',
  }),
  sendsPerPrefix: integer({
    name: 'SENDS_PER_PREFIX',
    min: 0,
    max: 10_000,
    fallback: 20,
    help: 'New verifications in 10 minutes to numbers that differ only in their last four digits; three of them verified in 24 hours lift it; 0 is no limit.',
  }),
  monthlyQuota: integer({
    name: 'MONTHLY_QUOTA',
    min: 1,
    max: 1_000_000_000,
    defaultText: 'no quota',
    help: 'Messages a project may send in a calendar month (UTC), by every channel and of every kind; more are refused with QUOTA_EXCEEDED.',
  }),
  addressPerMinute: integer({
    name: 'ADDRESS_LIMIT_PER_MINUTE',
    min: 1,
    max: 1_000_000,
    fallback: 300,
    help: 'Requests a minute from one client address on routes that need no key.',
  }),
  signInFailures: integer({
    name: 'SIGN_IN_FAILURES_MAX',
    min: 1,
    max: 100,
    fallback: 10,
    help: 'Wrong passwords or keys in 15 minutes from one client address before it has to wait.',
  }),
};
