import type { Transaction } from '../database/database.ts';
import type { EventRecorder } from '../events/record.ts';
import type { MessageService } from '../messages/service.ts';
import { messageIdsOf } from './destination.ts';
import type { DestinationRow, VerificationRepository } from './repository.ts';
import { ENDINGS, type Ending } from './state-machine.ts';

/** Ends verifications: the state, its event and the end of their messages, in one transaction. */
export interface VerificationEnder {
  /** Consumes the code at `at` (Unix ms), typed at this client address. False when the verification had ended before: a code verifies at most once. */
  verify(trx: Transaction, row: DestinationRow, at: number, clientIp: string | null): Promise<boolean>;
  /** Ends a pending verification in any other way. False when it had ended before. */
  end(
    trx: Transaction,
    row: DestinationRow,
    status: Exclude<Ending, 'verified'>,
    reason: string | null,
  ): Promise<boolean>;
}

export function verificationEnder(deps: {
  repository: VerificationRepository;
  events: EventRecorder;
  messages: MessageService;
}): VerificationEnder {
  const { repository, events, messages } = deps;

  async function tell(trx: Transaction, row: DestinationRow, status: Ending, reason: string | null) {
    await events.record(trx, {
      type: ENDINGS[status],
      projectId: row.project_id,
      verificationId: row.id,
      channel: row.channel,
      ...(reason === null ? {} : { data: { reason } }),
    });
    await messages.stop(trx, messageIdsOf(row), {
      status: status === 'expired' ? 'expired' : 'canceled',
      reason: reason ?? `verification ${status}`,
      arrived: status === 'verified',
    });
  }

  return {
    async verify(trx, row, at, clientIp) {
      if (!(await repository.consume(trx, row.id, at, clientIp))) return false;
      await tell(trx, row, 'verified', null);
      return true;
    },
    async end(trx, row, status, reason) {
      // A message may have been added since the row was read.
      const sends = await repository.end(trx, { id: row.id, status, reason });
      if (sends === undefined) return false;
      await tell(trx, { ...row, sends }, status, reason);
      return true;
    },
  };
}
