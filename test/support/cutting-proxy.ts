import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A way to PostgreSQL that a test can cut. */
export interface CuttingProxy {
  /** The address that leads through it. */
  url: string;
  /** Passes the next bytes that hold this text on to the server, and cuts before its answer comes back. */
  cutAfter(text: string): void;
  /** Cuts every connection; new ones can be made. */
  cut(): void;
}

/** Stands between a program and the PostgreSQL server of `url`, which is reached over a socket in a folder. */
export async function openCuttingProxy(url: string): Promise<CuttingProxy> {
  const dir = mkdtempSync(join(tmpdir(), 'wotp-test-'));
  const server = new URL(url).searchParams.get('host')!;
  const pairs = new Set<[Socket, Socket]>();
  let fatal: string | undefined;
  const proxy = createServer((client) => {
    const upstream = connect(join(server, '.s.PGSQL.5432'));
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    client.on('data', (bytes) => {
      if (fatal !== undefined && bytes.toString('latin1').includes(fatal)) {
        fatal = undefined;
        // The server gets and does it; nobody hears of it.
        upstream.write(bytes, () => client.destroy());
        upstream.once('data', () => upstream.destroy());
        return;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('error', () => {}).on('close', () => upstream.end());
    upstream.on('error', () => {}).on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(join(dir, '.s.PGSQL.5432'), resolve));
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    pairs.clear();
  };
  onTestFinished(() => {
    cut();
    proxy.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const through = new URL(url);
  through.searchParams.set('host', dir);
  return {
    url: through.href,
    cut,
    cutAfter(text) {
      fatal = text;
    },
  };
}
