import type { Routing } from '../channels/route.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { FieldProblem } from '../errors/errors.ts';
import { ValidationError, WotpError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { turns } from '../lib/turns.ts';
import { expiryOf } from '../otp/send-request.ts';
import type { OtpService } from '../otp/service.ts';
import type { Settings } from '../settings/settings.ts';
import type { BulkContents } from './contents.ts';
import type { BadRow, GivenRow } from './csv.ts';
import { plainChannel } from './plain-channel.ts';
import { recipientReader } from './recipients.ts';
import type { BulkRepository } from './repository.ts';
import type { BulkTexts } from './text.ts';
import type { Accepted, BulkRequest, NotedRow, Recipient } from './types.ts';

/** So many rows are read, checked and stored together; whatever else the server does has its turn between. */
const PORTION = 100;
/** So many portions are at work at the same time, of however many requests: memory does not grow with these either. */
const PORTIONS_AT_ONCE = 2;
/** So many problems of a file, and so many rows that are not accepted, are listed. */
const LISTED_MAX = 100;

/** The rows of a request, and how an error names one of them. */
export interface GivenRows {
  rows: Iterable<GivenRow | BadRow>;
  /** `line 7`, or `recipients.6`. */
  pathOf: (line: number) => string;
  /** More rows than this are refused. */
  max: number;
}

/** A bulk job whose recipients are stored, and that nothing is sent of until it is opened. */
export interface StagedBulk {
  accepted: Accepted;
  /** Makes it a job that is sent, in the transaction of its answer. */
  open(trx: Transaction): Promise<void>;
  /** Deletes it, unless it was opened. */
  discard(): Promise<void>;
}

export type BulkIntake = ReturnType<typeof bulkIntake>;

/** Reads, checks and stores the recipients of new bulk jobs, a portion at a time, so that memory does not grow with them. */
export function bulkIntake(deps: {
  database: Database;
  repository: BulkRepository;
  contents: BulkContents;
  clock: Clock;
  settings: Settings;
  routing: Routing;
  otp: OtpService;
  texts: BulkTexts;
  isOptedOut: (executor: Executor, projectId: number, identity: string) => Promise<boolean>;
}) {
  const { database, repository, contents, clock, settings, routing, otp, texts, isOptedOut } = deps;
  const inTurn = turns(PORTIONS_AT_ONCE);

  /** Deletes a job that was not accepted. */
  async function remove(bulkId: string): Promise<void> {
    const removeSome = () =>
      database.transaction(async (trx) => {
        const { length } = await repository.removeRecipients(trx, bulkId, PORTION);
        if (length < PORTION) await repository.remove(trx, bulkId);
        return length;
      });
    while ((await removeSome()) === PORTION);
  }

  /** Why nothing may be sent to a recipient now; undefined where something may. Throws where no channel can take it. */
  async function whyRejected(
    request: BulkRequest,
    { phone, email, identity, rejection }: Recipient,
    withCode: boolean,
  ): Promise<string | undefined> {
    if (rejection !== undefined) return rejection;
    const { projectId, channel } = request;
    const { reader } = database;
    const optedOut = phone !== null && (await isOptedOut(reader, projectId, identity));
    const reach = { phone: phone ?? undefined, email: email ?? undefined };
    const wanted = { projectId, channel, reach, isOptedOut: optedOut };
    try {
      const name = withCode ? routing.choose(wanted)[0] : plainChannel(routing, wanted);
      if (name === undefined) return 'PHONE_OPTED_OUT: The number has opted out of messages.';
    } catch (error) {
      if (!(error instanceof WotpError) || error.code !== 'PHONE_NOT_ON_WHATSAPP') throw error;
      return `${error.code}: ${error.message}`;
    }
    if ((await otp.nextAllowedAt(reader, projectId, identity, { withCode })) <= clock.now()) return undefined;
    return 'RATE_LIMIT_EXCEEDED: The limits of this address allow no more messages at the moment.';
  }

  /**
   * Checks every recipient and stores them, or only checks them with `dryRun`.
   * @throws ValidationError that lists the rows that cannot be read; WotpError WHATSAPP_OFFLINE, CHANNEL_UNAVAILABLE.
   * Nothing is left of it then
   */
  async function stage(request: BulkRequest, given: GivenRows, dryRun: boolean): Promise<StagedBulk> {
    const { projectId } = request;
    const text = await texts.of(database.reader, projectId, request.text);
    expiryOf(request, settings.of(projectId).code);
    const readRecipient = recipientReader(text, settings.of(projectId));
    const bulkId = newId('blk', clock.now());
    const problems: { line: number; error: WotpError }[] = [];
    const notes: NotedRow[] = [];
    const seen = new Map<string, number>();
    let rowsRead = 0;
    let duplicates = 0;
    let rejected = 0;
    let total = 0;
    const note = (row: NotedRow) => notes.length < LISTED_MAX && notes.push(row);

    /** The recipients of some rows, each address once. */
    function recipientsOf(rows: readonly (GivenRow | BadRow)[]): Recipient[] {
      const recipients: Recipient[] = [];
      for (const row of rows) {
        try {
          if ('message' in row) throw new ValidationError(row.message);
          const recipient = readRecipient(row);
          const before = seen.get(recipient.identity);
          if (before === undefined) {
            seen.set(recipient.identity, row.line);
            recipients.push(recipient);
            continue;
          }
          duplicates += 1;
          note({ line: row.line, reason: `DUPLICATE: The same address as in ${given.pathOf(before)}.` });
        } catch (error) {
          if (!(error instanceof WotpError)) throw error;
          problems.push({ line: row.line, error });
        }
      }
      return recipients;
    }

    async function take(rows: readonly (GivenRow | BadRow)[]): Promise<void> {
      const recipients = recipientsOf(rows);
      const isRefused = problems.length > 0;
      const reasons = await Promise.all(
        recipients.map(async (recipient) => {
          try {
            await text.check(database.reader, recipient);
            return isRefused ? undefined : await whyRejected(request, recipient, text.withCode);
          } catch (error) {
            if (!isAboutRow(error)) throw error;
            problems.push({ line: recipient.line, error });
          }
        }),
      );
      if (problems.length > 0) return;
      const stored = recipients.map((recipient, i) => {
        const number = total + i;
        const reason = reasons[i] ?? null;
        const sealed = contents.sealDetails(recipient.details, bulkId, number);
        return {
          bulk_id: bulkId,
          number,
          line: recipient.line,
          phone: recipient.phone,
          email: recipient.email,
          status: reason === null ? 'waiting' : 'rejected',
          reason,
          content: reason === null ? sealed.content : null,
          key_version: sealed.key_version,
        };
      });
      total += stored.length;
      for (const { line, reason } of stored) {
        if (reason === null) continue;
        rejected += 1;
        note({ line, reason });
      }
      if (dryRun) await new Promise((resolve) => setImmediate(resolve));
      else await database.transaction((trx) => repository.insertRecipients(trx, stored));
    }

    const takeInTurn = (rows: readonly (GivenRow | BadRow)[]) => inTurn(() => take(rows));

    async function takeAll(): Promise<void> {
      let portion: (GivenRow | BadRow)[] = [];
      for (const row of given.rows) {
        rowsRead += 1;
        if (rowsRead > given.max) {
          const path = given.pathOf(row.line);
          const message = `In ${path}: Only ${given.max} recipients are allowed. Send the rest in another request.`;
          throw new ValidationError(message, [{ path, message }]);
        }
        portion.push(row);
        if (portion.length < PORTION) continue;
        await takeInTurn(portion);
        portion = [];
        if (problems.length >= LISTED_MAX) return;
      }
      await takeInTurn(portion);
    }

    async function refuseWhatIsWrong(): Promise<void> {
      if (problems.length > 0) {
        const inOrder = problems.toSorted((a, b) => a.line - b.line).slice(0, LISTED_MAX);
        const listed = inOrder.map(({ line, error }) => problemAt(given.pathOf(line), error));
        throw new ValidationError(listed[0]!.message, listed);
      }
      if (total > 0) return;
      const message = 'There are no recipients. Give at least one.';
      throw new ValidationError(message, [{ path: 'recipients', message }]);
    }

    const now = clock.now();
    if (!dryRun) {
      await database.transaction((trx) =>
        repository.insert(trx, {
          id: bulkId,
          project_id: projectId,
          status: 'accepting',
          ...contents.sealRequest(request, bulkId),
          metadata: request.metadata === undefined ? null : JSON.stringify(request.metadata),
          total: 0,
          duplicates: 0,
          rejected: 0,
          successful: 0,
          failed: 0,
          canceled: 0,
          next_number: 0,
          active: 1,
          reason: null,
          running_since: now,
          done_before: 0,
          created_at: now,
          completed_at: null,
        }),
      );
    }
    let isOpened = false;
    const discard = async () => {
      if (!dryRun && !isOpened) await remove(bulkId);
    };
    try {
      await takeAll();
      await refuseWhatIsWrong();
    } catch (error) {
      await discard();
      throw error;
    }

    return {
      accepted: { bulkId: dryRun ? undefined : bulkId, total, duplicates, rejected, notes },
      async open(trx) {
        if (dryRun) return;
        const at = clock.now();
        await repository.update(trx, bulkId, {
          status: 'processing',
          total,
          duplicates,
          rejected,
          done_before: rejected,
          running_since: at,
          created_at: at,
        });
        database.afterCommit(trx, () => {
          isOpened = true;
        });
      },
      discard,
    };
  }

  return { stage };
}

/** Whether an error is about the recipient: what is wrong with the channel is wrong for all. */
const isAboutRow = (error: unknown): error is ValidationError =>
  error instanceof ValidationError && error.details.errors?.[0]?.path !== 'channel';

/** What is wrong with a row, as the refusal lists it; `place` is the row. */
function problemAt(place: string, error: WotpError): FieldProblem {
  const field = error.details.errors?.[0]?.path;
  if (place.startsWith('line ') || field === undefined) {
    return { path: place, message: `In ${place}: ${error.message}` };
  }
  const path = `${place}.${field}`;
  const names = error.message.includes(`\`${field}\``);
  return { path, message: names ? error.message : `The value of \`${path}\` is refused. ${error.message}` };
}
