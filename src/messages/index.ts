import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { messageBacklog } from './backlog.ts';
import { messageFacts } from './facts.ts';
import { messageService } from './service.ts';

/** The durable outbox. Who sends from it is `channels/`. */
export function messagesFeature({ database, keyring, events, clock }: Core) {
  return {
    name: 'messages',
    service: messageService({ database, keyring, events, clock }),
    backlog: messageBacklog(database),
    facts: messageFacts(database),
  } satisfies Feature & Record<string, unknown>;
}

export type MessagesFeature = ReturnType<typeof messagesFeature>;
