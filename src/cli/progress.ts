import { Presets, SingleBar } from 'cli-progress';
import { printable } from '../lib/terminal.ts';
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
  const bar = newBar();
  bar.start(100, 0, { phase: 'starting' });
  const ask = setInterval(async () => {
    // What goes wrong here is told by the call itself.
    const { data } = await api
      .call<{ data: { phase: string; percent: number } | null }>('GET', '/api/v1/database/job')
      .catch(() => ({ data: null }));
    if (data) bar.update(data.percent, { phase: printable(data.phase) });
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

/** Shows how far a piece of work is. */
export interface Progress {
  /** So many percent are done. */
  reach(percent: number): void;
  /** Takes the bar away. Safe to call twice. */
  end(): void;
}

/** A bar on standard error for work of this process; nothing where that is no terminal, or with `--json`. */
export function showProgress(phase: string, json: boolean | undefined): Progress {
  if (json || !process.stderr.isTTY) return { reach() {}, end() {} };
  const bar = newBar();
  bar.start(100, 0, { phase });
  return { reach: (percent) => bar.update(Math.floor(percent)), end: () => bar.stop() };
}

function newBar(): SingleBar {
  return new SingleBar({ format: '{phase} {bar} {percentage} %', hideCursor: true }, Presets.shades_classic);
}
