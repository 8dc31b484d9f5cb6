import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Actor } from '../database/acts.ts';
import type { Database } from '../database/database.ts';
import { ValidationError } from '../errors/errors.ts';
import { actorOf } from '../http/caller.ts';
import { LONG_READING_MAX_MS } from '../http/connections.ts';
import type { RunPreparedOnce } from '../http/idempotency.ts';
import { preferredMediaType } from '../http/media-type.ts';
import { noBody, page, pageQuery, problems, projectId, projectQuery, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import { DEFAULT_PURPOSE } from '../otp/types.ts';
import { readCsv } from './csv.ts';
import { RESULTS_HEADER, resultLine } from './results-csv.ts';
import {
  accepted,
  type BulkBody,
  bulk,
  bulkBody,
  bulkQuery,
  CSV_MAX_BYTES,
  CSV_ROWS_MAX,
  CsvFile,
  checked,
  JSON_ROWS_MAX,
  result,
  rowsOf,
  toAccepted,
  toAnswer,
} from './schemas.ts';
import type { BulkService } from './service.ts';
import type { TextSource } from './types.ts';

const MEMBERS_A_ROW = 20;
const EXPORTED_TOGETHER = 200;
const bulkId = z.string().max(64).meta({
  description: 'The id of a bulk job.',
  example: 'blk_01jd3x8zq2e6v9k5m7n0p4r8st',
});
const idParams = z.object({ id: bulkId });

/** Sending to many, following and stopping it. */
export function bulkRoutes(
  server: FastifyInstance,
  deps: { bulks: BulkService; database: Database; runPreparedOnce: RunPreparedOnce },
): void {
  const { bulks, database, runPreparedOnce } = deps;
  const tags = ['Bulk'];

  // In a context of its own: no other route takes files.
  server.register(async (scope) => {
    scope.addContentTypeParser(
      'text/csv',
      { parseAs: 'buffer', bodyLimit: CSV_MAX_BYTES },
      (_request, bytes, done) => done(null, new CsvFile(bytes as Buffer)),
    );
    typed(scope).post(
      '/api/v1/bulk/send',
      {
        config: {
          access: 'bulk:send',
          bodyMaxMembers: JSON_ROWS_MAX * MEMBERS_A_ROW,
          fileMaxBytes: CSV_MAX_BYTES,
        },
        // A file is checked row by row, by what takes it in.
        validatorCompiler: (route) => {
          const validate = validatorCompiler(route as unknown as Parameters<typeof validatorCompiler>[0]);
          return (data) => (data instanceof CsvFile ? { value: data } : validate(data));
        },
        schema: {
          tags,
          operationId: 'sendBulk',
          summary: 'Send one text to many recipients',
          description:
            'Send JSON with 1 to 1,000 recipients, or a `text/csv` file with up to 10,000 rows and the rest in the query. Nothing is sent until every row has been read: rows that cannot be read are a 400 that lists them. Recipients to whom nothing may be sent (opted out, country, limits) are rejected, and the rest is sent. The same address is sent to once, however it is written.',
          consumes: ['application/json', 'text/csv'],
          querystring: bulkQuery,
          body: bulkBody,
          response: {
            200: success(checked),
            202: success(accepted),
            ...problems(
              'PHONE_INVALID',
              'EMAIL_INVALID',
              'TEMPLATE_NOT_FOUND',
              'WHATSAPP_OFFLINE',
              'CHANNEL_UNAVAILABLE',
              'QUEUE_FULL',
              'IDEMPOTENCY_MISMATCH',
              'IDEMPOTENCY_IN_PROGRESS',
            ),
          },
        },
      },
      (request, reply) =>
        runPreparedOnce(request, reply, async () => {
          const { dryRun, ...inQuery } = request.query;
          const body = request.body as BulkBody | CsvFile;
          const { common, rows } = body instanceof CsvFile ? ofFile(body, inQuery) : ofJson(body, inQuery);
          const isDryRun = dryRun === 'true';
          const staged = await bulks.stage({ ...common, projectId: request.projectId }, rows, isDryRun);
          const answer = {
            status: isDryRun ? 200 : 202,
            body: { success: true as const, data: toAccepted(staged.accepted) },
          };
          return {
            async effect(trx) {
              await staged.open(trx);
              const { bulkId, total } = staged.accepted;
              if (bulkId !== undefined) {
                const started = { bulkId, action: 'started', total };
                await bulks.recordAct(trx, request.projectId, started, actorOf(request));
              }
              return answer;
            },
            end: staged.discard,
          };
        }),
    );
  });

  const app = typed(server);
  app.get(
    '/api/v1/bulk',
    {
      config: { access: 'bulk:send' },
      schema: {
        tags,
        operationId: 'listBulks',
        summary: 'List bulk jobs, newest first',
        querystring: z.strictObject({ ...pageQuery('blk'), projectId }),
        response: { 200: page(bulk), ...problems() },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { bulks: found, next } = await bulks.list(request.projectId, { limit, cursor });
      return { success: true as const, data: found.map(toAnswer), page: { next } };
    },
  );

  app.get(
    '/api/v1/bulk/status/:bulkId',
    {
      config: { access: 'bulk:send' },
      schema: {
        tags,
        operationId: 'getBulk',
        summary: 'Get a bulk job and its progress',
        params: z.object({ bulkId }),
        querystring: projectQuery,
        response: { 200: success(bulk), ...problems('RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => ({
      success: true as const,
      data: toAnswer(await bulks.get(request.projectId, request.params.bulkId)),
    }),
  );

  app.get(
    '/api/v1/bulk/:id/results',
    {
      config: { access: 'bulk:send', readingMaxMs: LONG_READING_MAX_MS },
      schema: {
        tags,
        operationId: 'listBulkResults',
        summary: 'List what became of each recipient',
        description:
          'In the order of the recipients. With `Accept: text/csv` all of them as one file, whose cells a spreadsheet takes for text: one that begins with =, +, -, @, a tab or a line break gets an apostrophe in front, phone numbers too.',
        params: idParams,
        querystring: z.strictObject({ ...pageQuery(/^\d{1,6}$/), projectId }),
        response: {
          200: {
            description: 'A page of the results, or the whole file.',
            content: {
              'application/json': { schema: page(result) },
              'text/csv': { schema: z.string() },
            },
          },
          ...problems('RESOURCE_NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const { limit, cursor } = request.query;
      const { id } = request.params;
      const wanted = { from: Number(cursor ?? 0), limit };
      reply.header('vary', 'accept');
      if (preferredMediaType(request.headers.accept, ['application/json', 'text/csv']) === 'text/csv') {
        await bulks.get(request.projectId, id);
        const exported = { bulkId: id, action: 'results exported' };
        await database.transaction((trx) =>
          bulks.recordAct(trx, request.projectId, exported, actorOf(request)),
        );
        reply.header('content-disposition', `attachment; filename="${id}.csv"`);
        return reply
          .type('text/csv; charset=utf-8')
          .send(Readable.from(linesOf(request.projectId, id)) as never);
      }
      const { results, next } = await bulks.results(request.projectId, id, wanted);
      const cursorOf = next === null ? null : String(next);
      return { success: true as const, data: results, page: { next: cursorOf } };
    },
  );

  async function* linesOf(project: number, id: string): AsyncGenerator<string> {
    yield RESULTS_HEADER;
    for (let from: number | null = 0; from !== null; ) {
      const portion: Awaited<ReturnType<BulkService['results']>> = await bulks.results(project, id, {
        from,
        limit: EXPORTED_TOGETHER,
      });
      yield portion.results.map(resultLine).join('');
      from = portion.next;
    }
  }

  const verbs = [
    {
      verb: 'pause',
      summary: 'Pause a bulk job',
      description:
        'Nothing more is put into the outbox. What is in it already, 20 to 250 messages, is still sent. Pausing twice is the same as once.',
      run: (project: number, id: string, by: Actor) =>
        database.transaction((trx) => bulks.pause(trx, project, id, by)),
    },
    {
      verb: 'resume',
      summary: 'Resume a paused bulk job',
      description: 'Sends to the recipients that are left. Resuming twice is the same as once.',
      run: (project: number, id: string, by: Actor) =>
        database.transaction((trx) => bulks.resume(trx, project, id, by)),
    },
    {
      verb: 'cancel',
      summary: 'Cancel a bulk job',
      description:
        'Sends nothing more: messages in the outbox are canceled too, with their verifications. The answer counts who was reached, and the results list them; a message that a channel is just sending still ends as the channel reports. Canceling twice is the same as once.',
      run: bulks.cancel,
    },
  ];
  for (const { verb, summary, description, run } of verbs) {
    app.post(
      `/api/v1/bulk/:id/${verb}`,
      {
        config: { access: 'bulk:send' },
        schema: {
          tags,
          operationId: `${verb}Bulk`,
          summary,
          description,
          params: idParams,
          body: noBody,
          querystring: projectQuery,
          response: { 200: success(bulk), ...problems('RESOURCE_NOT_FOUND', 'CONFLICT', 'QUEUE_FULL') },
        },
      },
      async (request) => ({
        success: true as const,
        data: toAnswer(await run(request.projectId, request.params.id, actorOf(request))),
      }),
    );
  }
}

type InQuery = Omit<z.infer<typeof bulkQuery>, 'dryRun'>;

function ofFile(file: CsvFile, { projectId: _projectId, template, templateCode, ...rest }: InQuery) {
  const { channel = 'auto', purpose = DEFAULT_PURPOSE, ...others } = rest;
  const pathOf = (line: number) => `line ${line}`;
  return {
    common: { ...others, channel, purpose, text: sourceOf({ template, templateCode }) },
    rows: { rows: readCsv(file.bytes), pathOf, max: CSV_ROWS_MAX },
  };
}

function ofJson(body: BulkBody, { projectId: _inQuery, ...inQuery }: InQuery) {
  const [path] = Object.keys(inQuery);
  if (path !== undefined) {
    const message = `The query parameter \`${path}\` is for \`text/csv\` only. Give it in the body.`;
    throw new ValidationError(message, [{ path, message }]);
  }
  const { recipients: _recipients, projectId: _inBody, template, templateCode, ...common } = body;
  const pathOf = (line: number) => `recipients.${line}`;
  return {
    common: { ...common, text: sourceOf({ template, templateCode }) },
    rows: { rows: rowsOf(body), pathOf, max: JSON_ROWS_MAX },
  };
}

function sourceOf({ template, templateCode }: { template?: string; templateCode?: string }): TextSource {
  if (template !== undefined && templateCode === undefined) return { template };
  if (templateCode !== undefined && template === undefined) return { templateCode };
  const message = 'Give either `template` (a text) or `templateCode`.';
  throw new ValidationError(message, [{ path: 'template', message }]);
}
