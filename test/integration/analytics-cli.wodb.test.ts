import { expect, test } from 'vitest';
import { analyticsCommand } from '../../src/analytics/cli.ts';
import { seedCommand } from '../../src/demo/cli.ts';
import { runHere } from '../support/command-in-process.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('analytics rebuild counts demo data without a server, and the same again', async () => {
  const cwd = tempFolder();
  await runHere(seedCommand(), ['--count', '300'], { cwd });
  const first = JSON.parse(await runHere(analyticsCommand(), ['rebuild', '--json'], { cwd }));
  expect(first.rebuilt.length).toBeGreaterThanOrEqual(14);
  expect(first.left).toEqual([]);
  const text = await runHere(analyticsCommand(), ['rebuild'], { cwd });
  expect(text).toMatch(/^Recounted 1[4-6] days, \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d\./);
}, 60_000);
