import type { Keyring } from '../database/keyring.ts';
import { seal } from '../lib/seal.ts';
import type { SendRequest } from '../otp/types.ts';
import type { ScheduleRow } from './repository.ts';

/** The send of a schedule, which may hold a code: sealed as long as it is pending, bound to the schedule's id. */
export function sealedRequests(keyring: Keyring) {
  return {
    seal(id: string, { projectId: _column, ...request }: SendRequest) {
      const sealed_request = seal(keyring.key('schedule'), JSON.stringify(request), id);
      return { sealed_request, key_version: keyring.version };
    },

    /** Undefined once the schedule has ended, and where the value does not open. */
    open(row: ScheduleRow): SendRequest | undefined {
      const { id, sealed_request: value, key_version: version, project_id: projectId } = row;
      if (value === null) return undefined;
      const text = keyring.open('schedule', { value, version, context: id });
      return text === undefined ? undefined : { ...(JSON.parse(text) as SendRequest), projectId };
    },
  };
}

export type SealedRequests = ReturnType<typeof sealedRequests>;
