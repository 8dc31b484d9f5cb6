import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, pathsOf } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
});
afterAll(() => server.stop());

describe('a body that would take long to look at', () => {
  const phone = '+6283834946034';
  const fields = (count: number) => Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',');
  const list = (count: number, member: string) => `[${Array(count).fill(member).join(',')}]`;

  test.each([
    ['95,000 unknown fields', 'otp/send', `{"phone":"${phone}",${fields(95_000)}}`],
    ['95,000 fields of metadata', 'otp/send', `{"phone":"${phone}","metadata":{${fields(95_000)}}}`],
    ['300,000 empty arrays', 'otp/send', `{"phone":"${phone}","metadata":{"a":${list(300_000, '[]')}}}`],
    ['95,000 unknown fields', 'session', `{"password":"x",${fields(95_000)}}`],
    ['2,001 members', 'session', list(2_001, '1')],
  ])('with %s to %s is refused with the bound it is over, and not looked at', async (_what, path, body) => {
    const answer = await server.call('POST', path, { body, key: path === 'session' ? null : server.key });
    const problem = expectProblem(answer, 'VALIDATION_ERROR');
    expect(problem.detail).toContain('2000');
    expect(problem.errors).toBeUndefined();
  });

  test('with 2,000 members is looked at', async () => {
    const answer = await server.call('POST', 'otp/send', { body: `{"phone":"${phone}",${fields(1_998)}}` });
    expect(expectProblem(answer, 'VALIDATION_ERROR').errors).not.toEqual([]);
  });

  test('with 33 levels is refused with the bound it is over', async () => {
    const answer = await server.call('POST', 'otp/send', { body: '['.repeat(33) + ']'.repeat(33) });
    expect(expectProblem(answer, 'VALIDATION_ERROR').detail).toContain('32 levels');
  });

  test('may have more members where credentials are imported', async () => {
    const files = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`session-${i}.json`, '{}']));
    const path = 'bot/sessions/ses_01jd3x8zq2e6v9k5m7n0p4r8st/import';
    const answer = await server.call('POST', path, { body: { files }, asAdmin: true });
    const { errors = [] } = expectProblem(answer, 'VALIDATION_ERROR');
    expect(pathsOf(errors)).toContain('files.creds.json');
  });
});

describe('the character U+0000', () => {
  const phone = '+6283834946034';

  test.each<[string, string, object, string[]]>([
    ['POST', 'otp/send', { phone: `${phone}\0` }, ['phone']],
    ['POST', 'otp/send', { phone, message: '{{code}}\0' }, ['message']],
    ['POST', 'otp/send', { phone, metadata: { a: { b: ['\0'] } } }, ['metadata.a.b.0']],
    ['POST', 'otp/send', { phone, metadata: { 'a\0': 1 } }, ['metadata']],
    ['POST', 'otp/verify', { phone: `${phone}\0`, code: '123456' }, ['phone']],
    ['POST', 'otp/verify', { id: 'ver_\0', code: '123456' }, ['id']],
    ['POST', 'keys', { name: 'a\0b', permissions: ['otp:send'] }, ['name']],
    ['POST', 'bot/sessions', { name: 'a\0b' }, ['name']],
    ['POST', 'keys', { name: 'x', permissions: ['otp:send'], projectId: 'prj_\0' }, ['projectId']],
  ])('in a body is refused: %s %s with %j', async (method, path, body, places) => {
    const answer = await server.call(method, path, { body, asAdmin: true });
    const problem = expectProblem(answer, 'VALIDATION_ERROR');
    expect(problem.detail).toContain('U+0000');
    expect(pathsOf(problem.errors ?? [])).toEqual(places);
  });

  test('written out, with a backslash, is text like any other and comes back as it went', async () => {
    const metadata = { path: 'C:\\u0000' };
    const sent = await server.call('POST', 'otp/send', { body: { phone: newPhone(), metadata } });
    expect(sent.status).toBe(201);
    const read = await server.call('GET', `otp/${sent.body.data.id}`);
    expect(read.body.data.metadata).toEqual(metadata);
  });

  test.each([
    ['GET', 'otp/ver_%00'],
    ['GET', 'otp?cursor=%00'],
    ['GET', 'otp?purpose=a%00'],
    ['GET', 'simulator/messages?to=%00'],
    ['GET', 'limits/%2B6283834946034%00'],
    ['DELETE', 'keys/key_%00'],
    ['GET', 'bot/sessions/ses_%00'],
    ['GET', 'keys?projectId=prj_%00'],
    ['GET', '/nothing%00'],
  ])('in an address is refused: %s %s', async (method, path) => {
    const answer = await server.call(method, path, { asAdmin: true });
    expect(expectProblem(answer, 'VALIDATION_ERROR').detail).toContain('U+0000');
  });
});
