import type { Invariant } from '../database/wodb/run-in-worker.ts';
import { MESSAGE_STATUSES } from '../messages/types.ts';
import { VERIFICATION_STATUSES } from '../otp/types.ts';

const oneOf = (words: readonly string[]) => words.map((word) => `'${word}'`).join(', ');

/** What holds of the data of every installation at every moment; `wotp verify` looks at each. */
export const INVARIANTS: readonly Invariant[] = [
  {
    finding: 'More than one verification is pending for one phone and purpose; the first of them',
    sql: `select min(id) from verifications where status = 'pending' and expires_at > @now
          group by project_id, destination, purpose having count(*) > 1`,
  },
  {
    finding: 'Verifications are in a state that does not exist',
    sql: `select id from verifications where status not in (${oneOf(VERIFICATION_STATUSES)})`,
  },
  {
    finding: 'Messages are in a state that does not exist',
    sql: `select id from messages where status not in (${oneOf(MESSAGE_STATUSES)})`,
  },
  {
    finding: 'Verifications are verified without a time, or have one without being verified',
    sql: `select id from verifications where (status = 'verified') <> (verified_at is not null)`,
  },
  {
    finding: 'The newest message of these verifications does not exist',
    sql: `select id from verifications
          where not exists (select 1 from messages where messages.id = json_extract(sends, '$[#-1][1]'))`,
  },
  {
    finding: 'Messages belong to no verification of their project',
    sql: `select messages.id from messages
          left join verifications v on v.id = verification_id and v.project_id = messages.project_id
          where v.id is null`,
  },
  {
    finding: 'Messages still hold a code although their verification has ended',
    sql: `select messages.id from messages join verifications v on v.id = verification_id
          where sealed_code is not null and v.status <> 'pending'`,
  },
  {
    finding: 'Messages wait to be sent and have no code',
    sql: `select id from messages where status = 'queued' and sealed_code is null`,
  },
];
