import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';
import { looseSettings } from './loose-settings.ts';

const SENDING = {
  CLOUD_API_TOKEN: 'EAAG-a-system-user-token',
  CLOUD_API_PHONE_NUMBER_ID: '106540352242922',
  CLOUD_API_TEMPLATE: 'verification_code',
  CLOUD_API_LANGUAGES: 'en_US',
};
const RECEIVING = { CLOUD_API_APP_SECRET: 'a-secret-of-the-app', CLOUD_API_VERIFY_TOKEN: 'chosen-by-us' };

const cloudApiOf = (env: Record<string, string>) => loadConfig({ ...SENDING, ...env }).cloudApi;

function problemsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the settings of the WhatsApp Cloud API', () => {
  test('have a version and an address of their own', () => {
    expect(cloudApiOf({})).toMatchObject({ version: 'v25.0', baseUrl: 'https://graph.facebook.com' });
  });

  test('take several phone number ids, and languages however they are written', () => {
    expect(
      cloudApiOf({ CLOUD_API_PHONE_NUMBER_ID: '1, 2,2', CLOUD_API_LANGUAGES: 'en-us,ID, pt_BR,es-419' }),
    ).toMatchObject({ phoneNumberIds: ['1', '2'], languages: ['en_US', 'id', 'pt_BR', 'es_419'] });
  });

  test.each([
    ['CLOUD_API_TOKEN', 'two words'],
    ['CLOUD_API_TOKEN', 'line\nbreak'],
    ['CLOUD_API_PHONE_NUMBER_ID', '+6281234567890'],
    ['CLOUD_API_ACCOUNT_ID', 'account'],
    ['CLOUD_API_TEMPLATE', 'Verification Code'],
    ['CLOUD_API_LANGUAGES', 'english'],
    ['CLOUD_API_VERSION', '25'],
    ['CLOUD_API_VERSION', 'v25.0/../v1.0'],
    ['CLOUD_API_BASE_URL', 'http://graph.facebook.com'],
    ['CLOUD_API_BASE_URL', 'https://user:pass@graph.facebook.com'],
    ['CLOUD_API_BASE_URL', 'https://graph.facebook.com?x=1'],
    ['CLOUD_API_BASE_URL', 'graph.facebook.com'],
    ['CLOUD_API_APP_SECRET', 'short'],
    ['CLOUD_API_VERIFY_TOKEN', 'short'],
  ])('%s cannot be %j', (name, given) => {
    const problems = problemsOf({ ...SENDING, ...RECEIVING, [name]: given });
    expect(problems).toEqual([expect.stringMatching(`^${name}: `)]);
  });

  test.each([
    ['http://127.0.0.1:4010', 'http://127.0.0.1:4010'],
    ['http://localhost/graph/', 'http://localhost/graph'],
    ['https://gateway.example.com/graph', 'https://gateway.example.com/graph'],
  ])('reach the Graph API at %s too', (given, read) => {
    expect(cloudApiOf({ CLOUD_API_BASE_URL: given }).baseUrl).toBe(read);
  });

  test('are named where one needs another', () => {
    for (const name of Object.keys(SENDING)) {
      const problems = problemsOf({ ...SENDING, [name]: '' });
      expect(problems, name).toEqual([expect.stringMatching(`^${name}: .*CLOUD_API_\\w+ needs it`)]);
    }
    expect(problemsOf({ CLOUD_API_ACCOUNT_ID: '1' }).map((line) => line.split(':')[0])).toEqual(
      Object.keys(SENDING),
    );
    for (const name of Object.keys(RECEIVING)) {
      const problems = problemsOf({ ...SENDING, ...RECEIVING, [name]: '' });
      expect(problems, name).toEqual([expect.stringMatching(`^${name}: .*CLOUD_API_\\w+ needs it`)]);
    }
  });

  test('never repeat a secret in a problem', () => {
    const problems = problemsOf({ ...SENDING, CLOUD_API_TOKEN: 'secret with spaces' }).join();
    expect(problems).not.toContain('secret with spaces');
  });

  test('without the app secret are named at the start, because no status can be believed', () => {
    const remarks = (env: Record<string, string>) =>
      looseSettings(loadConfig(env), {}).filter((sentence) => sentence.includes('CLOUD_API'));
    expect(remarks(SENDING)).toEqual([expect.stringMatching(/^CLOUD_API_APP_SECRET is not set/)]);
    expect(remarks({ ...SENDING, ...RECEIVING })).toEqual([]);
    expect(remarks({})).toEqual([]);
  });
});
