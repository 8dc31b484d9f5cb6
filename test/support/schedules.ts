import { expect } from 'vitest';
import type { Answer, CallOptions, TestApp } from './test-app.ts';

type Credentials = Pick<CallOptions, 'key' | 'asAdmin' | 'headers'>;

/** The calls that tests of schedules make, and what they look at afterwards. */
export function schedulesOf(server: TestApp) {
  const schedule = (body: object, as: Credentials = {}) =>
    server.call('POST', 'scheduler/schedule', { body, ...as });
  const read = (id: string, as: Credentials = {}) => server.call('GET', `scheduler/${id}`, as);
  return {
    schedule,
    read,
    change: (id: string, body: object, as: Credentials = {}) =>
      server.call('PUT', `scheduler/${id}`, { body, ...as }),
    cancel: (id: string, as: Credentials = {}) => server.call('DELETE', `scheduler/cancel/${id}`, as),
    list: (query = '', as: Credentials = {}) => server.call('GET', `scheduler/list${query}`, as),

    /** A time so many ms from now, as a request gives it. */
    timeIn: (ms: number) => new Date(server.clock.now() + ms).toISOString(),

    /** Schedules for a time so many ms from now and expects 201; resolves to the `data`. */
    async scheduled(ms: number, body: object, as: Credentials = {}) {
      const scheduledTime = new Date(server.clock.now() + ms).toISOString();
      const answer = await schedule({ scheduledTime, ...body }, as);
      expect(answer.body).toMatchObject({ success: true });
      expect(answer.status).toBe(201);
      return answer.body.data;
    },

    /** The present state of a schedule. */
    async stateOf(id: string): Promise<Answer['body']> {
      const answer = await read(id);
      expect(answer.status).toBe(200);
      return answer.body.data;
    },

    /** The types of the events of a schedule, in the order in which they were recorded. */
    async eventsOf(id: string): Promise<{ type: string; data: unknown }[]> {
      const rows = await server.app.database.reader
        .selectFrom('events')
        .select(['type', 'data'])
        .where('subject', '=', id)
        .orderBy('seq')
        .execute();
      return rows.map(({ type, data }) => ({ type, data: data === null ? null : JSON.parse(data) }));
    },
  };
}
