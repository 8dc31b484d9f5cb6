import { afterAll, beforeAll, vi } from 'vitest';

/** For the tests of this file: libsignal writes to the console what it does, private keys included; nobody reads it. */
export function quietLibsignal(): void {
  beforeAll(() => {
    for (const method of ['log', 'info', 'warn', 'error'] as const) {
      vi.spyOn(console, method).mockImplementation(() => {});
    }
  });
  afterAll(() => void vi.restoreAllMocks());
}
