import type { TestApp } from './test-app.ts';

/** Moves time on by steps (in ms) until something is so, and lets it stand while a far end has not answered. */
export async function untilSo(
  server: TestApp,
  isSo: () => boolean | Promise<boolean>,
  stepMs = 100,
): Promise<void> {
  while (!(await isSo())) {
    if (await isAnySending(server)) await new Promise((resolve) => setImmediate(resolve));
    else await server.clock.advance(stepMs);
  }
}

async function isAnySending({ app }: TestApp): Promise<boolean> {
  const query = app.database.reader.selectFrom('messages').select('id').where('status', '=', 'sending');
  return (await query.limit(1).execute()).length > 0;
}
