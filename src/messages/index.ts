import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { messageBacklog } from './backlog.ts';
import { messageFacts } from './facts.ts';
import { monthlyQuota } from './quota.ts';
import { messageService } from './service.ts';

/** How often it is looked whether a project has used so much of its quota that this is reported, in ms. */
const QUOTA_LOOK_MS = 1_000;

/** The durable outbox. Who sends from it is `channels/`. */
export function messagesFeature({ database, keyring, events, clock, settings, every }: Core) {
  const quota = monthlyQuota({ database, clock, events, settings });
  const reporting = every(QUOTA_LOOK_MS, 'reporting used quotas', () => quota.report());
  return {
    name: 'messages',
    service: messageService({ database, keyring, events, clock, quota }),
    backlog: messageBacklog(database),
    facts: messageFacts(database),
    work: [
      {
        async start() {
          await quota.resume();
          reporting.start();
        },
        stop: () => reporting.stop(),
      },
    ],
    keeps: [
      {
        async forgetSome(trx) {
          await quota.forget(trx);
          return { counts: {}, more: false };
        },
      },
    ],
  } satisfies Feature & Record<string, unknown>;
}

export type MessagesFeature = ReturnType<typeof messagesFeature>;
