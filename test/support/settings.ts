import { phoneReader } from '../../src/addresses/phone-reader.ts';
import type { ProjectSettings, Settings } from '../../src/settings/settings.ts';

const readAnyPhone = phoneReader({ countriesAllowed: [], countriesDenied: [] });
const USUAL: ProjectSettings = {
  code: { length: 6, expiryMinutes: 5, maxExpiryMinutes: 10, maxAttempts: 5 },
  phoneLimits: { gapMs: 30_000, per10Minutes: 5, perDay: 10 },
  spread: { perClientIp: 0, perPrefix: 0 },
  pacing: { ratePerSecond: 1, burst: 5, dailyCap: 5_000, warmUp: true },
  channelWaitMs: 25_000,
  channelOrder: undefined,
  style: { brand: undefined, warnsOfSharing: true, webOtpHost: undefined },
  mailFrom: undefined,
  verificationDays: 30,
  monthlyQuota: undefined,
  keyRequests: 10_000,
  readPhone: readAnyPhone,
  readAnyPhone,
};

/** The usual rules, with changes that hold for every project, and for some of them, by their number, further ones. */
export function testSettings(
  changes: Partial<ProjectSettings> = {},
  ofProjects: Readonly<Record<number, Partial<ProjectSettings>>> = {},
): Settings {
  return {
    of: (projectId) => ({ ...USUAL, ...changes, ...ofProjects[projectId] }),
    projectsWithOwn: Object.keys(ofProjects).map(Number),
  };
}
