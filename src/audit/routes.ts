import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Actor } from '../database/acts.ts';
import { sentenceOfBad } from '../database/audit-chain.js';
import { ValidationError } from '../errors/errors.ts';
import { EVENTS } from '../events/catalogue.ts';
import { selectTypes } from '../events/filter.ts';
import { actorOf } from '../http/caller.ts';
import { preferredMediaType } from '../http/media-type.ts';
import { page, problems } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Settings } from '../settings/settings.ts';
import type { ChainVerdict, NotedHead } from './chain.ts';
import type { LogFollow } from './follow.ts';
import type { LogFilter, LogList, LogScope } from './list.ts';
import {
  entry,
  type Filter,
  followed,
  followQuery,
  listQuery,
  readHead,
  toEntry,
  toVerdict,
  verdict,
  verifyQuery,
} from './schemas.ts';

const NDJSON = 'application/x-ndjson';
/** Entries of an export that are read together. */
const EXPORTED_TOGETHER = 200;
/** How long a client may take for an export, in ms. */
const EXPORT_MAX_MS = 60 * 60_000;

/** Reading, following, exporting and verifying the log. */
export function logRoutes(
  server: FastifyInstance,
  deps: {
    list: LogList;
    follow: LogFollow;
    settings: Settings;
    verify: (known: NotedHead | undefined) => Promise<ChainVerdict>;
    /** Keeps an export in the audit log. */
    recordExport: (projectId: number, filter: object, by: Actor) => Promise<void>;
    /** Whether whoever has begun an export may go on reading. */
    mayGoOn: (request: FastifyRequest) => Promise<boolean>;
  },
): void {
  const { list, follow, settings, verify, recordExport, mayGoOn } = deps;
  const app = typed(server);
  const tags = ['Logs'];

  const scopeOf = ({ caller, projectId }: FastifyRequest): LogScope => ({
    projectId,
    isAdmin: caller.kind === 'admin',
  });

  function filterOf(request: FastifyRequest, query: Omit<Filter, 'limit' | 'cursor'>): LogFilter {
    const { type, subject, phone, actor, from, to } = query;
    const { projectId, isAdmin } = scopeOf(request);
    const read = phone === undefined ? undefined : settings.of(projectId).readAnyPhone(phone);
    return {
      types: type === undefined ? undefined : typesOf(type, isAdmin),
      subject,
      phone: read && { e164: read.e164, identity: read.identity },
      actor,
      from: timeOf(from),
      to: timeOf(to),
    };
  }

  app.get(
    '/api/v1/logs',
    {
      config: { access: 'logs:read', readingMaxMs: EXPORT_MAX_MS },
      schema: {
        tags,
        operationId: 'listLogs',
        summary: 'List events and administrative acts',
        description:
          'Newest first, with phone numbers masked. Events of the installation, such as sign-ins and backups, are shown to administrators only. A page may be short or empty and have a next one: each looks at a limited number of entries. With `Accept: application/x-ndjson` all that match are streamed, one JSON object a line, whatever `limit` and `cursor` say; such an export is recorded in the audit log.',
        querystring: listQuery,
        response: {
          200: {
            description: 'A page of the log, or all of it.',
            content: {
              'application/json': { schema: page(entry) },
              [NDJSON]: { schema: z.string() },
            },
          },
          ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED'),
        },
      },
    },
    async (request, reply) => {
      const { limit, cursor, ...query } = request.query;
      const scope = scopeOf(request);
      const filter = filterOf(request, query);
      reply.header('vary', 'accept');
      if (preferredMediaType(request.headers.accept, ['application/json', NDJSON]) === NDJSON) {
        reply.type(NDJSON);
        if (request.method === 'HEAD') return reply.send('' as never);
        const { projectId: _named, phone, ...rest } = query;
        const shown = { ...rest, ...(phone !== undefined && { phone: 'given' }) };
        await recordExport(request.projectId, shown, actorOf(request));
        return reply.send(Readable.from(linesOf(request, scope, filter)) as never);
      }
      const { rows, next } = await list.page(scope, filter, { cursor, limit });
      return { success: true as const, data: rows.map(toEntry), page: { next } };
    },
  );

  /** Portions of an export, each of which is read when the client has taken the one before. */
  async function* linesOf(request: FastifyRequest, scope: LogScope, filter: LogFilter) {
    for (let cursor: string | undefined; ; ) {
      const { rows, next } = await list.page(scope, filter, { cursor, limit: EXPORTED_TOGETHER });
      if (rows.length > 0) yield rows.map((row) => `${JSON.stringify(toEntry(row))}\n`).join('');
      if (next === null) return;
      cursor = next;
      await new Promise((resolve) => setImmediate(resolve));
      // What is not complete must not look so.
      if (!(await mayGoOn(request))) throw new Error('The key of this export may no longer read the log.');
    }
  }

  app.get(
    '/api/v1/logs/follow',
    {
      config: { access: 'logs:read' },
      schema: {
        tags,
        operationId: 'followLogs',
        summary: 'Get what was recorded since',
        description:
          'Oldest first, in the order of the commits, so that nothing is left out and nothing comes twice. Begin without `after`, and then call with `next` again and again: at once where `more` is true, else after a second.',
        querystring: followQuery,
        response: { 200: followed, ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED') },
      },
    },
    async (request) => {
      const { after, ...query } = request.query;
      const { rows, next, more } = await follow.after(scopeOf(request), filterOf(request, query), after);
      return { success: true as const, data: { entries: rows.map(toEntry), next, more } };
    },
  );

  app.get(
    '/api/v1/logs/verify',
    {
      config: { access: 'admin:logs' },
      schema: {
        tags,
        operationId: 'verifyLogs',
        summary: 'Verify the audit log',
        description:
          'Checks the chain of the audit log from its oldest line to its newest, and names the first line that was changed, removed, moved or added.',
        querystring: verifyQuery,
        response: { 200: verdict, ...problems() },
      },
    },
    async (request) => {
      const found = await verify(readHead(request.query.head));
      const detail = found.firstBad ? sentenceOfBad(found.firstBad) : '';
      return { success: true as const, data: toVerdict(found, detail) };
    },
  );
}

/** The types that a filter selects. Throws ValidationError where an entry selects none. */
function typesOf(given: string, isAdmin: boolean): string[] {
  const known = Object.entries(EVENTS)
    .filter(([, { scope }]) => isAdmin || scope === 'project')
    .map(([type]) => type);
  const { selected, unknown } = selectTypes(given.split(','), known);
  if (unknown === undefined) return selected;
  const message = `The filter \`type\` allows event types and kinds such as key.*, separated by commas. Unknown: \`${unknown.slice(0, 100)}\`.`;
  throw new ValidationError(message, [{ path: 'type', message }]);
}

function timeOf(at: string | undefined): number | undefined {
  return at === undefined ? undefined : Date.parse(at);
}
