import { describe, expect, it } from 'vitest';
import { ConfigError, type Environment, loadConfig } from './config.ts';
import { GROUPS } from './groups.ts';
import { looseSettings } from './loose-settings.ts';

const PRODUCTION = {
  NODE_ENV: 'production',
  DB_MASTER_KEY: 'k3y-of-the-database-32-characters!',
  MASTER_PASSWORD: 'correct horse battery',
};

function problemsOf(env: Environment, { serves = false } = {}): string[] {
  try {
    loadConfig(env, { cwd: '/srv/wotp', serves });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('defaults', () => {
  it('a start with no settings gets every default', () => {
    expect(loadConfig({}, { cwd: '/srv/wotp' })).toEqual({
      given: new Set(),
      server: {
        port: 3000,
        host: '127.0.0.1',
        environment: 'development',
        isProduction: false,
        publicUrl: undefined,
        brandName: undefined,
        trustProxyHops: 0,
        keepAliveSeconds: 75,
        corsOrigins: [],
      },
      scheduler: { misfireMinutes: 10 },
      security: { masterKey: undefined, masterPassword: undefined },
      database: {
        dataDir: '/srv/wotp/data',
        path: '/srv/wotp/data/wotp.wodb',
        url: undefined,
        poolSize: 10,
      },
      backups: { cron: undefined, keep: 7, folder: '/srv/wotp/data/backups' },
      otp: {
        length: 6,
        expiryMinutes: 5,
        maxExpiryMinutes: 10,
        maxAttempts: 5,
        resendSeconds: 30,
        warnsOfSharing: true,
        testNumbers: true,
        webOtpHost: undefined,
        defaultRegion: undefined,
        countriesAllowed: [],
        countriesDenied: [],
      },
      limits: {
        windowMs: 3_600_000,
        maxRequests: 10_000,
        phonePer10Minutes: 5,
        phonePerDay: 10,
        sendsPerClientIp: 30,
        sendsPerPrefix: 20,
        monthlyQuota: undefined,
        addressPerMinute: 300,
        signInFailures: 10,
      },
      channels: { order: [], waitSeconds: 25 },
      cloudApi: {
        token: undefined,
        phoneNumberIds: [],
        accountId: undefined,
        template: undefined,
        languages: [],
        version: 'v25.0',
        baseUrl: 'https://graph.facebook.com',
        appSecret: undefined,
        verifyToken: undefined,
      },
      bot: {
        mockMode: true,
        usePairingCode: false,
        pairingNumber: undefined,
        socketUrl: undefined,
        webVersion: undefined,
        sendRate: 1,
        sendBurst: 5,
        dailyCap: 5_000,
        webVersionRefresh: false,
        warmUp: true,
        codeMessage: false,
        checkNumbers: true,
        adminNumbers: [],
      },
      providers: { file: undefined, allowedAddresses: [], definitions: [] },
      simulator: { deliveredMs: 300, readMs: 1000 },
      email: {
        server: undefined,
        from: undefined,
        dkimDomain: undefined,
        dkimSelector: undefined,
        dkimKeyFile: undefined,
        bounceToken: undefined,
      },
      webhooks: {
        enabled: false,
        url: undefined,
        allowedAddresses: [],
        retrySeconds: [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
      },
      retention: {
        verificationDays: 30,
        contactDays: 180,
        auditDays: 365,
        eventDays: 90,
        analyticsDays: 400,
        webhookDays: 30,
      },
      metrics: { token: undefined },
      logging: { level: 'info', dir: undefined },
    });
  });

  it('an empty text is the same as no text, for every variable', () => {
    const names = Object.values(GROUPS).flatMap((group) => Object.values(group).map(({ name }) => name));
    const empty = Object.fromEntries(names.map((name) => [name, '']));
    expect(loadConfig(empty, { cwd: '/srv/wotp' })).toEqual(loadConfig({}, { cwd: '/srv/wotp' }));
  });

  it('names the server does not know are ignored', () => {
    expect(problemsOf({ PORTS: 'x', SMS_URL: 'not a url' })).toEqual([]);
  });

  it('no variable is declared twice', () => {
    const names = Object.values(GROUPS).flatMap((group) => Object.values(group).map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
  });

  it('relative paths belong to the folder of the start, and absolute ones stay', () => {
    const config = loadConfig({ DATA_DIR: 'store', LOG_DIR: '/var/log/wotp' }, { cwd: '/srv/wotp' });
    expect(config.database).toMatchObject({ dataDir: '/srv/wotp/store', path: '/srv/wotp/store/wotp.wodb' });
    expect(config.logging.dir).toBe('/var/log/wotp');
    expect(loadConfig({ DB_PATH: 'x.wodb' }, { cwd: '/srv/wotp' }).database.path).toBe('/srv/wotp/x.wodb');
  });

  it('production does not imitate a phone unless told to, and then refuses', () => {
    expect(loadConfig(PRODUCTION).bot.mockMode).toBe(false);
    expect(loadConfig({ BOT_MOCK_MODE: 'false' }).bot.mockMode).toBe(false);
    expect(problemsOf({ ...PRODUCTION, BOT_MOCK_MODE: 'true' })).toEqual([
      'BOT_MOCK_MODE: given "true"; allowed: false, or unset, in production',
    ]);
  });
});

describe('problems', () => {
  it('every problem is reported at once, one line each, with the variable, the value and the rule', () => {
    expect(problemsOf({ PORT: '70000', LOG_LEVEL: 'loud', DEFAULT_REGION: 'ZZ', OTP_LENGTH: 'six' })).toEqual(
      [
        'PORT: given "70000"; allowed: a whole number from 0 to 65535',
        'OTP_LENGTH: given "six"; allowed: a whole number from 6 to 10',
        'DEFAULT_REGION: given "ZZ"; allowed: a two-letter country code such as US or ID',
        'LOG_LEVEL: given "loud"; allowed: one of trace, debug, info, warn, error, fatal, silent',
      ],
    );
  });

  it('the message of the error is its problems, a line each', () => {
    const error = new ConfigError(['A: 1', 'B: 2']);
    expect(error).toMatchObject({ name: 'ConfigError', message: 'A: 1\nB: 2', problems: ['A: 1', 'B: 2'] });
  });

  it('a secret is never repeated', () => {
    const lines = problemsOf({ DB_MASTER_KEY: 'too-short-key', MASTER_PASSWORD: 'hunter2' }).join('\n');
    expect(lines).toContain('DB_MASTER_KEY: given ***; allowed: a text of 32 characters or more');
    expect(lines).toContain('MASTER_PASSWORD: given ***; allowed: a text of 12 characters or more');
    expect(lines).not.toMatch(/too-short|hunter2/);
  });

  it('a password inside an address is not repeated', () => {
    const lines = problemsOf({
      PUBLIC_URL: 'https://me:s3cret@example.com',
      CORS_ORIGINS: 'http://u:pw@x.com',
    });
    expect(lines).toHaveLength(2);
    expect(lines.join('\n')).not.toMatch(/s3cret|pw@/);
  });

  it('what was given stays on its line, cannot colour a terminal and is cut when long', () => {
    const [line] = problemsOf({ LOG_LEVEL: `\u001b[31m\n\u202e${'x'.repeat(500)}` });
    expect(line).toMatch(/^LOG_LEVEL: given "\ufffd\[31m\ufffd\ufffdx+…"; allowed: /);
    expect(line?.length).toBeLessThan(250);
  });
});

describe('PostgreSQL', () => {
  const url = 'postgres://wotp:a-secret-password@db.example.com:5432/wotp?sslmode=verify-full';

  it('is used where DATABASE_URL names a database, and needs a key', () => {
    const given = { DATABASE_URL: url, DB_MASTER_KEY: 'k'.repeat(32), DATABASE_POOL_SIZE: '40' };
    expect(loadConfig(given).database).toMatchObject({ url, poolSize: 40 });
    expect(
      loadConfig({ ...given, DATABASE_URL: 'postgresql:///wotp?host=/run/postgresql' }).database.url,
    ).toBe('postgresql:///wotp?host=/run/postgresql');
    expect(problemsOf({ DATABASE_URL: url })).toEqual([
      expect.stringMatching(
        /^DB_MASTER_KEY: given nothing; .*; PostgreSQL \(DATABASE_URL\) needs one\. Create one with `.*--write new\.key`\.$/,
      ),
    ]);
  });

  it.each([
    ['sslMode=require', 'the parameters host, port, .*, in lower case; sslMode is not one of them$'],
    ['sslmode=Require', 'sslmode is one of disable, prefer, '],
    ['sslmode=allow', 'sslmode is one of '],
    ['ssl=yes', 'ssl is one of true, 1, '],
    ['sslmode=disable&sslmode=verify-full', 'each parameter once; sslmode is given twice$'],
    ['target_session_attrs=read-write', 'the parameters .*; target_session_attrs is not one of them$'],
    ['__proto__=x', 'the parameters .*; __proto__ is not one of them$'],
  ])('has no parameter that would be ignored: %s', (query, allowed) => {
    expect(
      problemsOf({
        DATABASE_URL: `${url}&${query}`.replace('?sslmode=verify-full&', '?'),
        DB_MASTER_KEY: 'k'.repeat(32),
      }),
    ).toEqual([expect.stringMatching(`^DATABASE_URL: given [*]{3}; allowed: ${allowed}`)]);
  });

  it.each(['mysql://host/wotp', 'postgres://host', 'postgres://host/', 'postgres://ho st/wotp', 'wotp'])(
    'is not at %s, which is not repeated, as it may hold a password',
    (wrong) => {
      expect(problemsOf({ DATABASE_URL: wrong, DB_MASTER_KEY: 'k'.repeat(32) })).toEqual([
        expect.stringMatching(/^DATABASE_URL: given \*\*\*; allowed: an address such as postgres:/),
      ]);
    },
  );
});

describe('production', () => {
  it('starts with a master key and a password of its own', () => {
    expect(problemsOf(PRODUCTION)).toEqual([]);
    expect(loadConfig(PRODUCTION).server).toMatchObject({ environment: 'production', isProduction: true });
  });

  it('refuses to start without its two secrets', () => {
    expect(problemsOf({ NODE_ENV: 'production', DB_MASTER_KEY: '' })).toEqual([
      expect.stringMatching(
        /^DB_MASTER_KEY: given nothing; allowed: .*production needs one\. Create one with `.*--write new\.key`\.$/,
      ),
      expect.stringMatching(/^MASTER_PASSWORD: given nothing; allowed: .*production needs one$/),
    ]);
  });

  it('names a short secret once', () => {
    expect(problemsOf({ ...PRODUCTION, DB_MASTER_KEY: 'short', MASTER_PASSWORD: 'short' })).toHaveLength(2);
  });

  it.each([
    'changeme-please',
    'CHANGE_ME_NOW_OK',
    'aaaaaaaaaaaaaaaa',
    'your_master_password',
    'Password1234!',
    'passwordpassword',
    'password-password',
    '123456789012',
    'Administrator',
  ])('refuses the well-known password %s', (password) => {
    expect(problemsOf({ ...PRODUCTION, MASTER_PASSWORD: password }, { serves: true })).toEqual([
      expect.stringMatching(
        /^MASTER_PASSWORD: given \*\*\*; allowed: in production only a secret .* this one is .*\. Use a random/,
      ),
    ]);
    expect(problemsOf({ MASTER_PASSWORD: password }, { serves: true })).toEqual([]);
  });

  it.each([
    'a'.repeat(32),
    'default-secret-key-do-not-use-in-prod',
    '<what "wotp master-key create" prints>',
  ])('refuses the well-known master key %s, and says how to move data to another', (key) => {
    expect(problemsOf({ ...PRODUCTION, DB_MASTER_KEY: key }, { serves: true })).toEqual([
      expect.stringMatching(
        /^DB_MASTER_KEY: given \*\*\*; .* this one is .*master-key rotate --new-key-file/,
      ),
    ]);
  });

  it('lets commands have any, so that data under a weak one can be looked after and moved', () => {
    const weak = { DB_MASTER_KEY: 'a'.repeat(32), MASTER_PASSWORD: 'passwordpassword' };
    expect(problemsOf({ ...PRODUCTION, ...weak })).toEqual([]);
  });
});

describe('values', () => {
  it.each([
    ['PORT', ['-1', '65536', '3000.5', '1e3', '0x10', 'abc', ' ', '3000 4000', '９０００']],
    ['HOST', ['a b', '[::1]', '300.1.1.1', 'http://x', '-'.repeat(64)]],
    ['NODE_ENV', ['prod', 'staging']],
    [
      'PUBLIC_URL',
      ['example.com', 'ftp://example.com', 'https://u@example.com', 'https://x.com/?a=1', 'https://'],
    ],
    ['TRUST_PROXY', ['true', '11', '-1', '10.0.0.0/8']],
    ['CORS_ORIGINS', ['*', 'null', 'https://*.x.com', 'https://x.com/path', 'x.com', 'https://ok.com, *']],
    ['DB_MASTER_KEY', [' '.repeat(40), 'k'.repeat(31), '🔑'.repeat(16)]],
    ['MASTER_PASSWORD', ['eleven char', ' '.repeat(20), ' leading-space-1', 'line\nbreak-in-it']],
    ['OTP_LENGTH', ['5', '11']],
    ['OTP_EXPIRY_MINUTES', ['0', '11']],
    ['OTP_MAX_EXPIRY_MINUTES', ['0', '61']],
    ['OTP_MAX_ATTEMPTS', ['0', '6']],
    ['OTP_RESEND_SECONDS', ['-1', '3601']],
    ['DEFAULT_REGION', ['USA', '62', 'ZZ']],
    ['COUNTRIES_ALLOWED', ['US;ID', 'US,ZZ']],
    ['COUNTRIES_DENIED', ['everywhere']],
    ['RATE_LIMIT_WINDOW_MS', ['999', '86400001']],
    ['BOT_SEND_RATE', ['0', '0.001', '10001', '-1', '1e3', '.5', '1,5', '0.12345']],
    ['BOT_SEND_BURST', ['0', '10001', '1.5']],
    ['BOT_DAILY_CAP', ['0', '10000001']],
    ['BOT_ADMIN_NUMBERS', ['12', '+62812, 5', 'me', '0812 3456 6034']],
    ['RATE_LIMIT_MAX', ['0', '1000000001']],
    ['PHONE_LIMIT_PER_10_MINUTES', ['0', '1001']],
    ['PHONE_LIMIT_PER_DAY', ['0', '1001']],
    ['ADDRESS_LIMIT_PER_MINUTE', ['0', '1000001']],
    ['SIGN_IN_FAILURES_MAX', ['0', '101']],
    ['BOT_MOCK_MODE', ['maybe', '2']],
    ['SIMULATOR_DELIVERED_MS', ['-1', '600001']],
    ['SIMULATOR_READ_MS', ['-1', '600001']],
    ['LOG_LEVEL', ['verbose']],
    ['DATA_DIR', ['a\0b', ' ']],
  ])('%s refuses what is outside its rule', (name, texts) => {
    for (const text of texts) expect(problemsOf({ [name]: text }), text).toHaveLength(1);
  });

  it('numbers at their bounds are allowed', () => {
    expect(loadConfig({ PORT: '0' }).server.port).toBe(0);
    expect(loadConfig({ PORT: ' 65535 ' }).server.port).toBe(65_535);
    expect(loadConfig({ RATE_LIMIT_MAX: '1000000000' }).limits.maxRequests).toBe(1_000_000_000);
    expect(loadConfig({ OTP_RESEND_SECONDS: '0' }).otp.resendSeconds).toBe(0);
  });

  it.each(['127.0.0.1', '::', 'fe80::1%eth0', 'localhost', 'api.example.com'])('HOST may be %s', (host) => {
    expect(loadConfig({ HOST: host }).server.host).toBe(host);
  });

  it('switches read the usual words', () => {
    for (const word of ['true', 'TRUE', '1', 'yes', 'on']) {
      expect(loadConfig({ BOT_MOCK_MODE: word }).bot.mockMode).toBe(true);
    }
    for (const word of ['false', '0', 'no', 'Off']) {
      expect(loadConfig({ BOT_MOCK_MODE: word }).bot.mockMode).toBe(false);
    }
  });

  it('lists ignore spaces, empty entries and doubles; countries are written in capitals', () => {
    const { otp, server } = loadConfig({
      COUNTRIES_ALLOWED: ' us, ID,,us ',
      DEFAULT_REGION: 'id',
      CORS_ORIGINS: 'https://App.example.com/, http://localhost:5173',
    });
    expect(otp.countriesAllowed).toEqual(['US', 'ID']);
    expect(otp.defaultRegion).toBe('ID');
    expect(server.corsOrigins).toEqual(['https://app.example.com', 'http://localhost:5173']);
  });

  it('the public address loses the slash at its end, and has no path, below which pages do not work', () => {
    expect(loadConfig({ PUBLIC_URL: 'https://Example.com/' }).server.publicUrl).toBe('https://example.com');
    expect(problemsOf({ PUBLIC_URL: 'http://x.com:8080/otp/' })).toEqual([
      expect.stringMatching(/^PUBLIC_URL: given .*; allowed: .*without user, path, query or fragment$/),
    ]);
  });

  it('secrets are taken exactly as given', () => {
    const key = `  ${'ключ '.repeat(8)}`;
    expect(loadConfig({ DB_MASTER_KEY: key }).security.masterKey).toBe(key);
  });
});

describe('the life of a code', () => {
  it('the default may not be longer than the maximum', () => {
    expect(problemsOf({ OTP_EXPIRY_MINUTES: '8', OTP_MAX_EXPIRY_MINUTES: '7' })).toEqual([
      'OTP_EXPIRY_MINUTES: given "8"; allowed: no more than OTP_MAX_EXPIRY_MINUTES, which is 7',
    ]);
    expect(problemsOf({ OTP_EXPIRY_MINUTES: '20', OTP_MAX_EXPIRY_MINUTES: '20' })).toEqual([]);
  });

  it('a maximum below the default lowers the default', () => {
    expect(loadConfig({ OTP_MAX_EXPIRY_MINUTES: '3' }).otp).toMatchObject({
      expiryMinutes: 3,
      maxExpiryMinutes: 3,
    });
  });

  it('a maximum that is no number is the only problem reported', () => {
    expect(problemsOf({ OTP_EXPIRY_MINUTES: '20', OTP_MAX_EXPIRY_MINUTES: 'x' })).toHaveLength(1);
  });
});

describe('the link to WhatsApp', () => {
  it('reads a number, an address and a version in their usual spellings', () => {
    const { bot } = loadConfig({
      PAIRING_NUMBER: '62 838-3494-6034',
      BOT_SOCKET_URL: 'wss://relay.example.com/ws',
      BOT_WEB_VERSION: '2.3000.1043857760',
    });
    expect(bot).toMatchObject({
      pairingNumber: '+6283834946034',
      socketUrl: 'wss://relay.example.com/ws',
      webVersion: [2, 3000, 1043857760],
    });
  });

  it('reads numbers as they are pasted', () => {
    const { bot } = loadConfig({
      PAIRING_NUMBER: '\u202a+62 838\u20113494\u20116034\u202c',
      BOT_ADMIN_NUMBERS: '6283834946034@c.us, tel:+62-812-3456-6034, 00 62 812 3456 6035',
    });
    expect(bot.pairingNumber).toBe('+6283834946034');
    expect(bot.adminNumbers).toEqual(['+6283834946034', '+6281234566034', '+6281234566035']);
  });

  it.each([
    ['PAIRING_NUMBER', '12'],
    ['PAIRING_NUMBER', '+1 555 0100 x'],
    ['BOT_SOCKET_URL', 'https://web.whatsapp.com'],
    ['BOT_SOCKET_URL', 'wss://me@relay.example.com'],
    ['BOT_WEB_VERSION', '2.3000'],
  ])('%s refuses %s', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(`^${name}: given .*; allowed: `)]);
  });

  it('a pairing code needs the number it is for', () => {
    expect(problemsOf({ USE_PAIRING_CODE: 'true' })).toEqual([
      expect.stringMatching(/^PAIRING_NUMBER: .*USE_PAIRING_CODE needs it/),
    ]);
  });

  it('an address without TLS is allowed, and named at the start', () => {
    expect(looseSettings(loadConfig({ BOT_SOCKET_URL: 'ws://127.0.0.1:9/ws' }))).toEqual([
      expect.stringContaining('BOT_SOCKET_URL'),
    ]);
  });
});
