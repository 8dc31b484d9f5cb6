import type { ChannelsFeature } from '../channels/index.ts';
import type { WhatsAppFeature } from '../channels/whatsapp/index.ts';
import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { DAY_MS } from '../lib/duration.ts';
import type { MessagesFeature } from '../messages/index.ts';
import type { OptOutsFeature } from '../opt-outs/index.ts';
import { verificationsKept } from '../settings/retention.ts';
import type { TemplatesFeature } from '../templates/index.ts';
import type { TestNumbersFeature } from '../test-numbers/index.ts';
import { verificationFacts } from './facts.ts';
import { limitRoutes } from './limit-routes.ts';
import { otpRoutes } from './routes.ts';
import { otpService } from './service.ts';

const EXPIRY_SWEEP_MS = 1_000;
/** How often verifications are looked for whose next channel is due, in ms: it is to begin within a second of its time. */
const MOVE_LOOK_MS = 250;
const EXPIRY_SWEEP_ROWS = 500;
/** What one portion deletes. */
const PORTION = { verifications: 50, recentSends: 200 };

/** Verifications: sending codes and checking them, within the limits of phones. */
export function otpFeature(
  core: Core,
  others: {
    messages: MessagesFeature;
    channels: ChannelsFeature;
    optOuts: OptOutsFeature;
    whatsapp: WhatsAppFeature;
    templates: TemplatesFeature;
    testNumbers: TestNumbersFeature;
  },
) {
  const { database, keyring, events, settings, clock, log } = core;
  const { channels, optOuts, whatsapp, templates, testNumbers } = others;
  const messages = others.messages.service;
  const otp = otpService({
    database,
    keyring,
    events,
    messages,
    clock,
    settings,
    routing: channels.routing,
    texts: templates.texts,
    isOptedOut: optOuts.list.isSuppressed,
    testCodeFor: testNumbers.codeFor,
  });
  messages.ownedBy('ver', otp.owner);
  const sweep = core.every(EXPIRY_SWEEP_MS, 'expiring verifications', async () => {
    while ((await otp.expireDue(EXPIRY_SWEEP_ROWS)) === EXPIRY_SWEEP_ROWS);
  });
  const moving = core.every(MOVE_LOOK_MS, 'moving verifications to their next channel', async () => {
    while (await otp.moveDue(EXPIRY_SWEEP_ROWS));
  });
  const leaving = core.every(EXPIRY_SWEEP_MS, 'moving verifications from channels that are offline', () =>
    otp.moveFromOffline(EXPIRY_SWEEP_ROWS),
  );

  return {
    name: 'otp',
    service: otp,
    factsOf: verificationFacts(database),
    routes(server) {
      otpRoutes(server, { otp, database, runOnce: core.idempotency.runOnce });
      limitRoutes(server, {
        otp,
        database,
        onLifted: (phone) => whatsapp.directory.forgetAbsence(phone),
      });
    },
    work: [
      {
        async start() {
          if (database.isExclusive && (await otp.expireIfClockWasSetBack()))
            log.warn('the clock was set back while no server ran; codes that were pending have expired');
          sweep.start();
        },
        stop: () => sweep.stop(),
      },
      moving,
      leaving,
    ],
    keeps: [
      {
        async forgetSome(trx) {
          const counts = { verifications: 0, messages: 0 };
          let more = false;
          for (const { days, projects } of verificationsKept(settings)) {
            const before = clock.now() - days * DAY_MS;
            const { count, messageIds } = await otp.forgetEnded(trx, projects, before, PORTION.verifications);
            await messages.forget(trx, messageIds);
            counts.verifications += count;
            counts.messages += messageIds.length;
            more ||= count === PORTION.verifications;
          }
          return { counts, more };
        },
      },
      {
        async forgetSome(trx) {
          const count = await otp.forgetRecentSends(trx, PORTION.recentSends);
          return { counts: {}, more: count === PORTION.recentSends };
        },
      },
    ],
  } satisfies Feature & Record<string, unknown>;
}

export type OtpFeature = ReturnType<typeof otpFeature>;
