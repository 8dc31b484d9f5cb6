import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startWhatsAppApp, type WhatsAppApp } from '../support/whatsapp-app.ts';
import { eventually } from '../support/whatsapp-sessions.ts';

let app: WhatsAppApp;
let sessionId: string;
let other: Awaited<ReturnType<typeof makeProject>>;
beforeAll(async () => {
  app = await startWhatsAppApp({ clock: systemClock() });
  other = await makeProject(app.server);
  sessionId = await app.link(app.newPhone());
});
afterAll(() => app.stop());

const call = (method: string, path: string, body?: object) =>
  app.server.call(method, path, { asAdmin: true, body });

describe('a linked number', () => {
  test('sends for its own project, and for no other', async () => {
    const { number: phone } = app.newPhone();
    const sent = await app.api.send({ phone });
    expect(sent.status).toBe(201);
    expectProblem(await app.api.send({ phone }, { key: other.key }), 'WHATSAPP_OFFLINE');
    const isConnected = async (key?: string) =>
      (await app.server.call('GET', 'otp/status', key === undefined ? {} : { key })).body.data.connected;
    expect([await isConnected(), await isConnected(other.key)]).toEqual([true, false]);
  });

  test('is unknown to every other project, as one that never was', async () => {
    const { body } = await call('GET', `bot/sessions?projectId=${other.projectId}`);
    expect(body.data).toEqual([]);
    const named = { projectId: other.projectId };
    for (const [method, path, given] of [
      ['GET', '', undefined],
      ['GET', '/qr', undefined],
      ['PATCH', '', { name: 'Mine', ...named }],
      ['POST', '/pause', named],
      ['POST', '/restart', named],
      ['POST', '/logout', named],
      ['POST', '/pairing-code', { phone: '+6281234567890', ...named }],
      ['POST', '/export', named],
      ['DELETE', '', undefined],
    ] as const) {
      const query = given === undefined ? `?projectId=${other.projectId}` : '';
      const [ours, never] = [sessionId, 'ses_01jd3x8zq2e6v9k5m7n0p4r8st'].map((id) =>
        call(method, `bot/sessions/${id}${path}${query}`, given),
      );
      const answers = [await ours!, await never!].map(({ status, body: { code, detail } }) => ({
        status,
        code,
        detail,
      }));
      expect(answers[0], `${method} ${path}`).toMatchObject({ status: 404, code: 'RESOURCE_NOT_FOUND' });
      expect(answers[0]).toEqual(answers[1]);
    }
    expect((await call('GET', `bot/sessions/${sessionId}`)).body.data.state).toBe('open');
  });

  test('is logged out and removed when its project is deleted', async () => {
    const { body } = await call('POST', 'projects', { name: 'Shop' });
    const projectId = body.data.id;
    const made = await call('POST', 'bot/sessions', { projectId });
    expect(made.status).toBe(201);
    const { id } = made.body.data;
    expect(expectProblem(await call('DELETE', `projects/${projectId}`), 'CONFLICT').detail).toContain(
      'linked numbers',
    );
    await call('DELETE', `projects/${projectId}?erase=true`);
    const rows = app.server.app.database.reader.selectFrom('whatsapp_sessions').select('id');
    await eventually(async () => (await rows.where('id', '=', id).execute()).length === 0);
    expect((await call('GET', `bot/sessions/${sessionId}`)).body.data.state).toBe('open');
  });
});
