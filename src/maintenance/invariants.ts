import type { Invariant } from '../database/wodb/run-in-worker.ts';
import { MESSAGE_STATUSES } from '../messages/types.ts';
import { VERIFICATION_STATUSES } from '../otp/types.ts';
import { SCHEDULE_STATUSES } from '../scheduler/types.ts';

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
    finding: 'Schedules are in a state that does not exist',
    sql: `select id from schedules where status not in (${oneOf(SCHEDULE_STATUSES)})`,
  },
  {
    finding: 'Schedules have fired without a verification, or have one without having fired',
    sql: `select id from schedules where (status = 'fired') <> (verification_id is not null)`,
  },
  {
    finding: 'Schedules still hold their request although they have ended',
    sql: `select id from schedules where sealed_request is not null and status <> 'pending'`,
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
          left join verifications v on v.id = owner_id and v.project_id = messages.project_id
          where owner_id like 'ver\\_%' escape '\\' and v.id is null`,
  },
  {
    finding: 'Messages belong to no bulk job of their project',
    sql: `select messages.id from messages
          left join bulks b on b.id = owner_id and b.project_id = messages.project_id
          where owner_id like 'blk\\_%' escape '\\' and b.id is null`,
  },
  {
    finding: 'Recipients of bulk jobs are in the outbox without a message',
    sql: `select bulk_id || ' ' || number from bulk_recipients r where status = 'queued'
          and not exists (select 1 from messages where messages.id = r.message_id)`,
  },
  {
    finding: 'Verifications still hold a code although they have ended',
    sql: `select id from verifications where sealed_code is not null and status <> 'pending'`,
  },
  {
    finding: 'Lines of the audit log have a place in the chain without a hash, or a hash without a place',
    sql: `select id from audit_log where (position is null) <> (hash is null)`,
  },
  {
    finding: 'Messages wait to be sent although what they were sent for has ended',
    sql: `select messages.id from messages join verifications v on v.id = owner_id
          where messages.status = 'queued' and v.status <> 'pending'`,
  },
];
