import type { FastifyRequest } from 'fastify';
import type { AdminService } from '../admin/service.ts';
import type { Core } from '../core.ts';
import { eventFeed } from '../events/feed.ts';
import type { Check, Feature } from '../feature.ts';
import type { KeyService } from '../keys/service.ts';
import { callerCheck } from '../keys/still-allowed.ts';
import { DAY_MS } from '../lib/duration.ts';
import type { MessagesFeature } from '../messages/index.ts';
import type { OtpFeature } from '../otp/index.ts';
import { auditChain } from './chain.ts';
import { logFollow } from './follow.ts';
import { logList } from './list.ts';
import { logRoutes } from './routes.ts';
import { toEntry } from './schemas.ts';

/** How often lines without a place in the chain are looked for, in ms. */
const LINK_MS = 1_000;
/** Lines that wait longer say that something is wrong, in ms. */
const WAITING_MAX_MS = 60_000;
/** Lines that one portion deletes. */
const PORTION = 200;
const LINKING = 'chaining the audit log';

/** The log: events and administrative acts, and the chain over the latter. */
export async function auditFeature(
  core: Core,
  others: {
    keys: { service: KeyService };
    admin: { service: AdminService };
    messages: MessagesFeature;
    otp: OtpFeature;
  },
) {
  const { database, keyring, events, clock, settings, config, troubles, stopping } = core;
  const chain = auditChain({ database, keyring });
  await chain.begin(clock.now());
  const tracesOf = async (projectId: number, identity: string, limit: number) => [
    ...(await others.otp.service.idsOf(projectId, identity, limit)),
    ...(await others.messages.service.idsFor(projectId, identity, limit)),
  ];
  const list = logList({ database, keyring, tracesOf });
  const follow = logFollow({ feed: eventFeed(database), list, tracesOf });
  const stillAllowed = callerCheck({ keys: others.keys.service, admin: others.admin.service });
  const linking = core.every(LINK_MS, LINKING, () => chain.link());
  const { auditDays } = config.retention;

  async function check(): Promise<Check> {
    const since = await chain.waitingSince();
    if (since === undefined || clock.now() - since < WAITING_MAX_MS) return { status: 'healthy' };
    return {
      status: 'degraded',
      detail: 'New lines of the audit log are not chained. See the log, and run `logs verify`.',
    };
  }

  return {
    name: 'audit',
    /** The newest entries that an administrator sees. */
    newest: async (projectId: number, limit: number) =>
      (await list.page({ projectId, isAdmin: true }, {}, { limit })).rows.map(toEntry),
    routes: (server) =>
      logRoutes(server, {
        list,
        follow,
        settings,
        async verify(known) {
          await chain.link().catch((error: unknown) => troubles.failed(LINKING, error));
          return chain.verify(known);
        },
        recordExport: (projectId, filter, by) =>
          database.transaction((trx) =>
            events.record(trx, { type: 'logs.exported', projectId, data: { filter: { ...filter } }, by }),
          ),
        mayGoOn: async ({ caller }: FastifyRequest) =>
          !stopping.aborted && (await stillAllowed([caller])).has(caller),
      }),
    work: [
      {
        start: () => linking.start(),
        async stop() {
          await linking.stop();
          // What commands did in a process of their own as well.
          await chain.link().catch((error: unknown) => troubles.failed(LINKING, error));
        },
      },
    ],
    keeps: [
      {
        async forgetSome(trx) {
          if (auditDays === 0) return { counts: { auditLines: 0 }, more: false };
          const count = await chain.forget(trx, clock.now() - auditDays * DAY_MS, PORTION);
          return { counts: { auditLines: count }, more: count === PORTION };
        },
      },
    ],
    checks: [{ name: 'audit', run: check }],
  } satisfies Feature & { newest: unknown };
}

export type AuditFeature = Awaited<ReturnType<typeof auditFeature>>;
