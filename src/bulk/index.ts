import type { ChannelsFeature } from '../channels/index.ts';
import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { DAY_MS, HOUR_MS } from '../lib/duration.ts';
import { pause } from '../lib/pause.ts';
import type { MessagesFeature } from '../messages/index.ts';
import type { OptOutsFeature } from '../opt-outs/index.ts';
import type { OtpFeature } from '../otp/index.ts';
import { verificationsKept } from '../settings/retention.ts';
import type { TemplatesFeature } from '../templates/index.ts';
import { bulkContents } from './contents.ts';
import { bulkFeeder } from './feeder.ts';
import { bulkIntake } from './intake.ts';
import { recipientMessages } from './recipient-messages.ts';
import { bulkRepository } from './repository.ts';
import { bulkRoutes } from './routes.ts';
import { bulkService } from './service.ts';
import { bulkTexts } from './text.ts';

/** How often it is looked for jobs that were begun here or elsewhere, in ms. */
const LOOK_EVERY_MS = 1_000;
/** The pause between two rounds over the jobs: with something to do at once, or with messages under way, in ms. */
const BUSY_PAUSE_MS = 10;
const WAITING_PAUSE_MS = 200;
/** Limits of phones are counted from the messages of the last day. */
const KEPT_LEAST_MS = 25 * HOUR_MS;

/** Bulk jobs: one text to many recipients. */
export function bulkFeature(
  core: Core,
  others: {
    messages: MessagesFeature;
    channels: ChannelsFeature;
    optOuts: OptOutsFeature;
    templates: TemplatesFeature;
    otp: OtpFeature;
  },
) {
  const { database, keyring, events, settings, clock, stopping } = core;
  const messages = others.messages.service;
  const otp = others.otp.service;
  const { routing } = others.channels;
  const isOptedOut = others.optOuts.list.isSuppressed;
  const repository = bulkRepository(database);
  const contents = bulkContents(keyring);
  const recipients = recipientMessages({ database, contents, messages, otp, routing, clock, isOptedOut });
  const texts = bulkTexts(others.templates);
  const feeder = bulkFeeder({ database, events, clock, repository, contents, recipients, texts });
  const intake = bulkIntake({
    database,
    repository,
    contents,
    clock,
    settings,
    routing,
    otp,
    texts,
    isOptedOut,
  });
  const bulks = bulkService({
    database,
    repository,
    messages,
    intake,
    feeder,
    recipients,
    events,
    clock,
  });
  messages.ownedBy('blk', { contentOf: texts.contentOf });

  /** Steps through all jobs in turn, until none of them has anything to do. */
  async function feed(): Promise<void> {
    while (!stopping.aborted) {
      const ids = await feeder.active();
      let busy = false;
      let waiting = false;
      for (const id of ids) {
        if (stopping.aborted) return;
        const step = await feeder.step(id);
        busy ||= step === 'busy';
        waiting ||= step === 'waiting';
      }
      if (!busy && !waiting) return;
      await pause(clock, busy ? BUSY_PAUSE_MS : WAITING_PAUSE_MS, stopping);
    }
  }

  return {
    name: 'bulk',
    service: bulks,
    routes: (server) =>
      bulkRoutes(server, { bulks, database, runPreparedOnce: core.idempotency.runPreparedOnce }),
    work: [core.every(LOOK_EVERY_MS, 'sending bulk jobs', feed)],
    keeps: [
      {
        async forgetSome(trx) {
          const ended = verificationsKept(settings).map(({ days, projects }) => ({
            projects,
            before: clock.now() - Math.max(days * DAY_MS, KEPT_LEAST_MS),
          }));
          const { bulks: jobs, recipients: people } = await bulks.forget(trx, ended);
          return { counts: { bulks: jobs, bulkRecipients: people }, more: jobs + people > 0 };
        },
      },
    ],
  } satisfies Feature & { service: typeof bulks };
}
