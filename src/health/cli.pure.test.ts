import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { runHere } from '../../test/support/command-in-process.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { healthCommand } from './cli.ts';

test('health in words gives the reason of each status, or the figure it is judged by', async () => {
  const report = {
    status: 'degraded',
    version: '4.0.0',
    uptime: 90,
    checks: {
      whatsapp: { status: 'degraded', connected: false, detail: 'No WhatsApp number is linked.' },
      database: { status: 'healthy', engine: 'wodb', waitingWrites: 0 },
      memory: { status: 'healthy', residentBytes: 120_400_000 },
      disk: { status: 'degraded', freeBytes: 310_000_000 },
      backup: { status: 'healthy', lastAt: '2026-01-15T12:00:00.000Z' },
    },
  };
  const server = createServer((_request, response) => response.end(JSON.stringify(report)));
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const printed = await runHere(healthCommand(), ['--url', url], { cwd: tempFolder() });
  expect(printed.split('\n')).toEqual([
    `degraded (${url}, version 4.0.0, up 90 s)`,
    '  whatsapp   degraded   No WhatsApp number is linked.',
    '  database   healthy',
    '  memory     healthy    120 MB are in use.',
    '  disk       degraded   310 MB are free.',
    '  backup     healthy    The last one is from 2026-01-15T12:00:00.000Z.',
    '',
  ]);
});
