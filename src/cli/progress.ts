import { Presets, SingleBar } from 'cli-progress';
import type { ApiClient } from './api-client.ts';

/** How often the server is asked how far it is, in ms. */
const ASK_EVERY_MS = 200;

/**
 * Runs a call that takes its time and meanwhile shows how far the server's job is, on standard error; nothing where that
 * is no terminal, or with `--json`.
 */
export async function withProgress<T>(
  api: ApiClient,
  json: boolean | undefined,
  call: () => Promise<T>,
): Promise<T> {
  if (json || !process.stderr.isTTY) return call();
  const bar = new SingleBar(
    { format: '{phase} {bar} {percentage} %', hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(100, 0, { phase: 'starting' });
  const ask = setInterval(async () => {
    // What goes wrong here is told by the call itself.
    const { data } = await api
      .call<{ data: { phase: string; percent: number } | null }>('GET', '/api/v1/database/job')
      .catch(() => ({ data: null }));
    if (data) bar.update(data.percent, { phase: data.phase });
  }, ASK_EVERY_MS);
  try {
    const result = await call();
    bar.update(100, { phase: 'done' });
    return result;
  } finally {
    clearInterval(ask);
    bar.stop();
  }
}
