import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new folder for this test. It goes with the test, and stays for inspection when the test fails. */
export function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'wotp-test-'));
  onTestFinished(({ task }) => {
    if (task.result?.state !== 'fail') rmSync(path, { recursive: true, force: true });
  });
  return path;
}
