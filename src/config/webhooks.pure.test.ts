import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';

const MASTER = {
  NODE_ENV: 'production',
  DB_MASTER_KEY: 'a master key of the tests, long enough',
  MASTER_PASSWORD: 'a password only tests know',
  BOT_MOCK_MODE: 'false',
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env, { cwd: '/srv/wotp' });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe('the settings of webhooks', () => {
  test('take a schedule with equal waits', () => {
    const { webhooks } = loadConfig({ WEBHOOK_RETRY_SECONDS: '0, 5,5,60' }, { cwd: '/srv/wotp' });
    expect(webhooks.retrySeconds).toEqual([0, 5, 5, 60]);
  });

  test.each(['x', '1,', '-1', '1.5', '604801', Array(21).fill('1').join(',')])(
    'refuse the schedule %j',
    (given) => {
      expect(problemsOf({ WEBHOOK_RETRY_SECONDS: given })).toEqual([
        expect.stringMatching(/^WEBHOOK_RETRY_SECONDS: /),
      ]);
    },
  );

  test('need WEBHOOK_URL where WEBHOOK_ENABLED is true', () => {
    expect(problemsOf({ WEBHOOK_ENABLED: 'true' })).toEqual([
      expect.stringMatching(/^WEBHOOK_URL: .*needs it$/),
    ]);
    expect(problemsOf({ WEBHOOK_ENABLED: 'true', WEBHOOK_URL: 'https://app.example.com/hooks?a=b' })).toEqual(
      [],
    );
    expect(problemsOf({ WEBHOOK_URL: 'https://app.example.com' })).toEqual([]);
  });

  test.each([
    'ftp://app.example.com',
    'https://user:password@app.example.com',
    'app.example.com',
    'http://127.0.0.1:8080/',
    'http://2130706433/',
    'http://[::ffff:7f00:1]/',
    'https://10.1.2.3/',
  ])('refuse %s as WEBHOOK_URL', (url) => {
    const [problem] = problemsOf({ WEBHOOK_ENABLED: 'true', WEBHOOK_URL: url });
    expect(problem).toMatch(/^WEBHOOK_URL: /);
  });

  test('take an internal address that is listed, and in production https only', () => {
    const env = {
      WEBHOOK_ENABLED: 'true',
      WEBHOOK_URL: 'http://10.1.2.3/',
      WEBHOOK_ALLOWED_ADDRESSES: '10.0.0.0/8',
    };
    expect(problemsOf(env)).toEqual([]);
    expect(
      problemsOf({
        ...MASTER,
        ...env,
        WEBHOOK_URL: 'http://app.example.com/',
        WEBHOOK_ALLOWED_ADDRESSES: '',
      }),
    ).toEqual([expect.stringMatching(/^WEBHOOK_URL: .*https/)]);
  });
});
