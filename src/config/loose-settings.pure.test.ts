import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.ts';
import { looseSettings } from './loose-settings.ts';

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

it('a secret that others know or guess is named, but not shown, with what to do', () => {
  const settings = {
    MASTER_PASSWORD: 'administrator1',
    DB_MASTER_KEY: 'default-secret-key-do-not-use-in-prod',
  };
  expect(looseSettings(loadConfig(settings))).toEqual([
    expect.stringMatching(
      /^DB_MASTER_KEY is published, and production refuses it\. Create one .*master-key rotate/,
    ),
    expect.stringMatching(/^MASTER_PASSWORD is easily guessed, and production refuses it\. Use a random one/),
  ]);
  expect(looseSettings(loadConfig(settings)).join()).not.toMatch(/administrator1|default-secret/);
});

it('a channel on the route that no setting sets up is named', () => {
  const said = (settings: Record<string, string>) =>
    looseSettings(loadConfig({ BOT_MOCK_MODE: 'false', CHANNELS: 'whatsapp,sms,email', ...settings }));
  expect(said({})).toEqual([
    expect.stringMatching(/^CHANNELS names sms, which is not set up/),
    expect.stringMatching(/^CHANNELS names email, which is not set up/),
  ]);
  expect(said({ SMTP_URL: 'smtp://127.0.0.1', SMTP_FROM: 'no-reply@example.com' })).toHaveLength(1);
  expect(said({ BOT_MOCK_MODE: 'true' })).toEqual([]);
});

describe('in production', () => {
  const PRODUCTION = {
    NODE_ENV: 'production',
    BOT_MOCK_MODE: 'false',
    MASTER_PASSWORD: 'plum-orbit-cradle-57',
    DB_MASTER_KEY: '3f9b1c77e2d84a06b5c1908e7d42fa6615c8e0b97a3d4f21',
  };
  const said = (settings: Record<string, string>, env = {}) =>
    looseSettings(loadConfig({ ...PRODUCTION, ...settings }), env);
  const proxied = { PUBLIC_URL: 'https://otp.example.com', TRUST_PROXY: '1' };
  const AFAR = 'postgres://user:secret@db.example.com/wotp';

  it.each([
    ['an http PUBLIC_URL', { PUBLIC_URL: 'http://otp.example.com' }, {}, /^PUBLIC_URL is http:/],
    ['every address', { HOST: '0.0.0.0' }, {}, /^HOST is 0\.0\.0\.0 without both/],
    ['every IPv6 address', { HOST: '::' }, {}, /^HOST is :: without both/],
    ['an address of the network', { HOST: '192.0.2.7' }, {}, /^HOST is 192/],
    ['a proxy that is not trusted', { HOST: '0.0.0.0', PUBLIC_URL: proxied.PUBLIC_URL }, {}, /^HOST is/],
    ['a proxy without https', { HOST: '0.0.0.0', TRUST_PROXY: '1' }, {}, /^HOST is/],
    [
      'PostgreSQL elsewhere',
      { DATABASE_URL: AFAR },
      {},
      /^DATABASE_URL reaches db\.example\.com without TLS/,
    ],
    ['PostgreSQL with TLS off', { DATABASE_URL: `${AFAR}?sslmode=disable` }, {}, /^DATABASE_URL reaches/],
    ['PostgreSQL with ssl=0', { DATABASE_URL: `${AFAR}?ssl=0` }, {}, /^DATABASE_URL reaches/],
    [
      'a host as a parameter',
      { DATABASE_URL: 'postgres:///wotp?host=192.0.2.9' },
      {},
      /reaches 192\.0\.2\.9/,
    ],
    [
      'a host of the environment',
      { DATABASE_URL: 'postgres:///wotp' },
      { PGHOST: 'db.lan' },
      /reaches db\.lan/,
    ],
    ['PostgreSQL unverified', { DATABASE_URL: `${AFAR}?sslmode=no-verify` }, {}, /sslmode=no-verify/],
    [
      'no certificates checked',
      {},
      { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      /^NODE_TLS_REJECT_UNAUTHORIZED is 0/,
    ],
  ])('what crosses a network unprotected is named: %s', (_what, settings, env, sentence) => {
    const sentences = said(settings, env);
    expect(sentences).toEqual([expect.stringMatching(sentence)]);
    expect(sentences[0]).not.toContain('secret');
  });

  it.each([
    ['as it is installed', {}, {}],
    ['an https address behind a proxy', { HOST: '0.0.0.0', ...proxied }, {}],
    ['this machine alone', { HOST: '127.0.0.2' }, {}],
    ['this machine alone, by IPv6', { HOST: '::1' }, {}],
    ['PostgreSQL here', { DATABASE_URL: 'postgres://user:secret@127.0.0.1:5432/wotp' }, {}],
    ['PostgreSQL here, by IPv6', { DATABASE_URL: 'postgres://user:secret@[::1]/wotp' }, {}],
    ['PostgreSQL by a socket', { DATABASE_URL: 'postgres:///wotp?host=/run/postgresql' }, {}],
    ['PostgreSQL with TLS', { DATABASE_URL: `${AFAR}?sslmode=verify-full` }, {}],
    ['PostgreSQL with a CA', { DATABASE_URL: `${AFAR}?sslrootcert=/etc/ca.pem` }, {}],
    ['TLS by the environment', { DATABASE_URL: AFAR }, { PGSSLMODE: 'verify-full' }],
    ['certificates checked', {}, { NODE_TLS_REJECT_UNAUTHORIZED: '1' }],
  ])('what is protected is not: %s', (_what, settings, env) => {
    expect(said(settings, env)).toEqual([]);
  });

  it('only there: to try it on a network of your own needs no certificate', () => {
    const settings = { HOST: '0.0.0.0', PUBLIC_URL: 'http://192.0.2.7:3000' };
    expect(looseSettings(loadConfig(settings), {})).toEqual([]);
  });
});
