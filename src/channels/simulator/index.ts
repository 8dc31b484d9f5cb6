import type { Core } from '../../core.ts';
import type { Feature } from '../../feature.ts';
import { inboundTexts } from '../../messages/inbound-text.ts';
import type { MessagesFeature } from '../../messages/index.ts';
import type { OptOutsFeature } from '../../opt-outs/index.ts';
import { simulatorFaults } from './faults.ts';
import { simulatorRoutes } from './routes.ts';
import { Simulator } from './simulator.ts';
import { virtualInbox } from './virtual-inbox.ts';

/** The virtual phone, in mock mode. */
export function simulatorFeature(
  { database, clock, config, settings, events }: Core,
  { messages, optOuts }: { messages: MessagesFeature; optOuts: OptOutsFeature },
) {
  const faults = simulatorFaults();
  const inbox = virtualInbox(database);
  messages.service.whenForgotten((trx, ids) => inbox.remove(trx, ids));
  return {
    name: 'simulator',
    channel: new Simulator({ database, clock, faults, ...config.simulator }),
    ...(config.bot.mockMode && {
      routes: (server) =>
        simulatorRoutes(server, {
          database,
          messages: messages.service,
          faults,
          settings,
          inbound: inboundTexts({ database, events, suppression: optOuts.list, clock }),
        }),
    }),
  } satisfies Feature & { channel: Simulator };
}
