import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { METRICS } from '../../src/metrics/catalogue.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { startTestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const TOKEN = 'a-token-that-only-prometheus-knows';
const isInstalled = spawnSync('prometheus', ['--version']).status === 0;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Asks the API of a Prometheus for the `data` of an answer. */
// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
type Ask = (path: string) => Promise<any>;

/** Starts Prometheus with one target. */
async function startPrometheus(target: string): Promise<Ask> {
  const folder = tempFolder();
  const [config, token] = [join(folder, 'prometheus.yml'), join(folder, 'token')];
  writeFileSync(token, TOKEN);
  writeFileSync(
    config,
    `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: wotp
    authorization: { credentials_file: ${token} }
    static_configs: [{ targets: ["${target}"] }]
`,
  );
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn('prometheus', [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
  ]);
  onTestFinished(async () => {
    child.kill();
    await once(child, 'exit');
  });
  return async (path: string) =>
    ((await (await fetch(`http://${address}/api/v1/${path}`)).json()) as { data: unknown }).data;
}

test('a running Prometheus scrapes a running server: it knows every family, by the type of the catalogue, and stores values', async ({
  skip,
}) => {
  skip(!isInstalled, 'prometheus is not installed (Debian: apt-get install prometheus)');
  const server = await startTestApp({ env: { ...QUICK_ADMIN, METRICS_TOKEN: TOKEN } });
  onTestFinished(() => server.stop());
  await verificationsOf(server).sent({ phone: newPhone() });
  const ask = await startPrometheus(new URL(server.address).host);
  const patience = { timeout: 90_000, interval: 200 };
  const [{ value }] = await vi.waitFor(async () => {
    const { result } = await ask('query?query=wotp_verifications_total');
    expect(result).toHaveLength(1);
    return result;
  }, patience);
  expect(value[1]).toBe('1');
  const { activeTargets } = await ask('targets?state=active');
  expect(activeTargets).toMatchObject([{ health: 'up', lastError: '' }]);
  const families: { metric: string; type: string }[] = await ask('targets/metadata');
  for (const [name, { type }] of Object.entries(METRICS)) {
    const family = families.find(({ metric }) => metric === name || `${metric}_total` === name);
    expect(family?.type, name).toBe(type);
  }
}, 120_000);
