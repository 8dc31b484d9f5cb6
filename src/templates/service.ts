import type { Actor } from '../database/acts.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors/errors.ts';
import { changeOf } from '../events/change.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { HOUR_MS } from '../lib/duration.ts';
import { newId } from '../lib/id.ts';
import type { TemplateUse } from '../messages/types.ts';
import {
  namesIn,
  type ReadContent,
  readContent,
  requireBounded,
  type TemplateContent,
  VARIABLES_MAX,
} from './content.ts';
import { type FoundTemplate, templateRepository, type VersionRow } from './repository.ts';

/** A template as its project sees it. Times are Unix ms. */
export interface StoredTemplate extends TemplateContent {
  id: string;
  code: string;
  name: string;
  version: number;
  usageCount: number;
  isActive: boolean;
  createdAt: number;
  updatedAt: number;
}

/** What a template said at one time. */
export interface TemplateVersion extends TemplateContent {
  version: number;
  createdAt: number;
  createdBy: string;
}

/** Texts as a caller gives them; without `variables` they are read from the texts. */
export type GivenContent = Omit<TemplateContent, 'variables'> & { variables?: string[] | undefined };

/** What a caller changes of a template; what is left out stays. */
export type TemplateChange = Partial<GivenContent & { name: string; isActive: boolean }> & {
  /** The version that the change was made from; any where left out. */
  version?: number | undefined;
};

/** Contents that stay read; a version never changes. */
const READ_MAX = 1_000;

/** The most templates of a project. */
const TEMPLATES_MAX = 1_000;
/** Of a template's versions the newest are kept. */
const VERSIONS_KEPT = 50;
/** A version is kept for so long after its successor came: longer than any message that was made from it waits. */
const VERSION_NEEDED_MS = 26 * HOUR_MS;
/** The most versions of a template, with those that pending codes may need. */
const VERSIONS_MAX = 200;
/** A page of a list ends before its texts have more characters than this: making the answer holds up every other. */
const PAGE_TEXTS_MAX = 262_144;
/** So many rows of a page are read at a time. */
const ROWS_AT_ONCE = 10;

/**
 * A page of rows with texts, shorter than `limit` where the texts are long.
 * @param read reads rows behind a cursor
 */
async function pageOf<Row extends { content: string }, Cursor>(
  { cursor, limit }: { cursor: Cursor | undefined; limit: number },
  cursorOf: (row: Row) => Cursor,
  read: (page: { before: Cursor | undefined; limit: number }) => Promise<Row[]>,
): Promise<{ rows: Row[]; next: Cursor | null }> {
  const rows: Row[] = [];
  let characters = 0;
  for (let before = cursor; ; before = cursorOf(rows.at(-1)!)) {
    const wanted = Math.min(ROWS_AT_ONCE, limit + 1 - rows.length);
    const found = await read({ before, limit: wanted });
    for (const row of found) {
      characters += row.content.length;
      const isFull = rows.length === limit || (rows.length > 0 && characters > PAGE_TEXTS_MAX);
      if (isFull) return { rows, next: cursorOf(rows.at(-1)!) };
      rows.push(row);
    }
    if (found.length < wanted) return { rows, next: null };
  }
}

/** Texts that callers keep: written, changed with a history, found for a send. */
export type TemplateService = ReturnType<typeof templateService>;

export function templateService(deps: { database: Database; events: EventRecorder; clock: Clock }) {
  const { database, events, clock } = deps;
  const repository = templateRepository(database);
  const read = new Map<string, ReadContent>();
  const usage = new Map<string, number>();

  /** The texts of a version, read; a stored one has been read before it was stored. */
  function contentOf(id: string, version: number, stored: string): ReadContent {
    const key = `${id} ${version}`;
    const known = read.get(key);
    if (known) return known;
    const content = readContent(JSON.parse(stored) as TemplateContent);
    if (read.size >= READ_MAX) read.clear();
    read.set(key, content);
    return content;
  }

  function toTemplate(row: FoundTemplate): StoredTemplate {
    return {
      id: row.id,
      code: row.code,
      name: row.name,
      ...(JSON.parse(row.content) as TemplateContent),
      version: row.version,
      usageCount: row.usage_count + (usage.get(row.id) ?? 0),
      isActive: row.is_active === 1,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    };
  }

  const toVersion = ({ version, content, created_at, created_by }: VersionRow): TemplateVersion => ({
    version,
    ...(JSON.parse(content) as TemplateContent),
    createdAt: created_at,
    createdBy: created_by,
  });

  /** The texts with their variables, in the one form in which they are stored. Throws ValidationError. */
  function checked({ content, language, variables, translations }: GivenContent): TemplateContent {
    const given = { content, translations };
    requireBounded(given);
    const names = variables ?? namesIn(given);
    if (names.length > VARIABLES_MAX) {
      const message = `The template has ${names.length} \`variables\`. At most ${VARIABLES_MAX} are allowed.`;
      throw new ValidationError(message, [{ path: 'variables', message }]);
    }
    const whole = { content, language, variables: names, translations };
    readContent(whole);
    return whole;
  }

  async function find(executor: Executor, projectId: number, id: string): Promise<FoundTemplate> {
    const row = await repository.byId(executor, projectId, id);
    if (!row) throw new NotFoundError('There is no template with this id.', 'TEMPLATE_NOT_FOUND');
    return row;
  }

  const serialize = (trx: Transaction, projectId: number) =>
    database.serialize(trx, `templates of ${projectId}`);

  /** Writes a change of a template down, with a version of its own where its texts differ. */
  async function change(
    trx: Transaction,
    row: FoundTemplate,
    to: { name: string; isActive: boolean; content: TemplateContent },
    by: Actor,
  ): Promise<StoredTemplate> {
    const now = clock.now();
    const content = JSON.stringify(to.content);
    const isSame = content === row.content && to.name === row.name && to.isActive === (row.is_active === 1);
    if (isSame) return toTemplate(row);
    const version = content === row.content ? row.version : row.version + 1;
    if (version !== row.version) {
      await repository.forgetVersions(trx, row.id, {
        upTo: version - VERSIONS_KEPT,
        replacedBefore: now - VERSION_NEEDED_MS,
      });
      if ((await repository.countVersions(trx, row.id)) >= VERSIONS_MAX)
        throw new ConflictError(
          `This template was changed ${VERSIONS_MAX - VERSIONS_KEPT} times within 26 hours, and messages that wait may need each version. Try again later.`,
        );
      await repository.addVersion(trx, {
        template_id: row.id,
        version,
        content,
        created_at: now,
        created_by: by.name,
      });
    }
    const changed = { name: to.name, version, is_active: to.isActive ? 1 : 0, updated_at: now };
    await repository.update(trx, row.id, changed);
    await events.record(trx, {
      type: 'template.changed',
      projectId: row.project_id,
      data: { template: row.code, version },
      by,
      ...changeOf(
        { version: row.version, ...inAudit({ ...row, isActive: row.is_active === 1 }, row.content) },
        { version, ...inAudit(to, content) },
      ),
    });
    return toTemplate({ ...row, ...changed, content });
  }

  return {
    /**
     * Keeps a new template.
     * @throws ConflictError when its code is taken; ValidationError
     */
    async create(
      trx: Transaction,
      projectId: number,
      given: GivenContent & { code: string; name: string },
      by: Actor,
    ): Promise<StoredTemplate> {
      const content = checked(given);
      await serialize(trx, projectId);
      if (await repository.byCode(trx, projectId, given.code))
        throw new ConflictError(`There is already a template with the code ${given.code}.`);
      if ((await repository.count(trx, projectId)) >= TEMPLATES_MAX)
        throw new ConflictError(
          `This project has ${TEMPLATES_MAX} templates, which is the most. Delete one that is not used.`,
        );
      const now = clock.now();
      const row = {
        id: newId('tpl', now),
        project_id: projectId,
        code: given.code,
        name: given.name,
        version: 1,
        is_active: 1,
        usage_count: 0,
        created_at: now,
        updated_at: now,
        deleted_at: null,
      };
      await repository.insert(trx, row);
      const stored = JSON.stringify(content);
      await repository.addVersion(trx, {
        template_id: row.id,
        version: 1,
        content: stored,
        created_at: now,
        created_by: by.name,
      });
      await events.record(trx, {
        type: 'template.created',
        projectId,
        data: { template: given.code, version: 1 },
        by,
        after: inAudit({ name: given.name, isActive: true }, stored),
      });
      return toTemplate({ ...row, content: stored });
    },

    /**
     * Changes a template; other texts are a new version. Where `content` changes without `variables`, these are read
     * from the texts.
     * @throws NotFoundError TEMPLATE_NOT_FOUND; ConflictError where it is at another `version` by now; ValidationError
     */
    async update(
      trx: Transaction,
      projectId: number,
      id: string,
      { name, isActive, version, ...texts }: TemplateChange,
      by: Actor,
    ): Promise<StoredTemplate> {
      await serialize(trx, projectId);
      const row = await find(trx, projectId, id);
      if (version !== undefined && version !== row.version)
        throw new ConflictError(
          `The template is at version ${row.version}, and this change was made from version ${version}. Read the template, apply the change to it, and send it with \`version\` ${row.version}.`,
        );
      const before = toTemplate(row);
      const { content = before.content, language = before.language } = texts;
      const { translations = before.translations } = texts;
      const hasNewTexts = texts.content !== undefined || texts.translations !== undefined;
      const variables = texts.variables ?? (hasNewTexts ? undefined : before.variables);
      const to = {
        name: name ?? before.name,
        isActive: isActive ?? before.isActive,
        content: checked({ content, language, variables, translations }),
      };
      return change(trx, row, to, by);
    },

    /**
     * Brings an earlier version back, as a new one.
     * @throws NotFoundError TEMPLATE_NOT_FOUND, RESOURCE_NOT_FOUND
     */
    async restore(
      trx: Transaction,
      projectId: number,
      id: string,
      version: number,
      by: Actor,
    ): Promise<StoredTemplate> {
      await serialize(trx, projectId);
      const row = await find(trx, projectId, id);
      const earlier = await repository.version(trx, id, version);
      if (!earlier) throw new NotFoundError(`This template has no version ${version}.`);
      const content = JSON.parse(earlier.content) as TemplateContent;
      return change(trx, row, { name: row.name, isActive: row.is_active === 1, content }, by);
    },

    /** Deletes a template; messages that were made from it keep what they say. Throws NotFoundError. */
    async remove(trx: Transaction, projectId: number, id: string, by: Actor): Promise<void> {
      await serialize(trx, projectId);
      const { code, version, name, is_active, content } = await find(trx, projectId, id);
      await repository.markDeleted(trx, id, clock.now());
      await events.record(trx, {
        type: 'template.deleted',
        projectId,
        data: { template: code, version },
        by,
        before: inAudit({ name, isActive: is_active === 1 }, content),
      });
    },

    /** Throws NotFoundError. */
    get: async (projectId: number, id: string): Promise<StoredTemplate> =>
      toTemplate(await find(database.reader, projectId, id)),

    /** A page of a project's templates, newest first; `cursor` is the id after which to go on. */
    async list(
      projectId: number,
      { cursor, limit, code }: { cursor?: string; limit: number; code?: string },
    ): Promise<{ templates: StoredTemplate[]; next: string | null }> {
      const ids = await repository.ids(database.reader, projectId, {
        before: cursor,
        limit: limit + 1,
        code,
      });
      const { rows, next } = await pageOf(
        { cursor, limit },
        ({ id }: FoundTemplate) => id,
        (wanted) => repository.byIds(database.reader, ids.splice(0, wanted.limit)),
      );
      return { templates: rows.map(toTemplate), next };
    },

    /** A page of a template's versions, newest first; `cursor` is the version after which to go on. Throws NotFoundError. */
    async versions(
      projectId: number,
      id: string,
      { cursor, limit }: { cursor?: number; limit: number },
    ): Promise<{ versions: TemplateVersion[]; next: string | null }> {
      await find(database.reader, projectId, id);
      const { rows, next } = await pageOf(
        { cursor, limit },
        ({ version }: VersionRow) => version,
        (wanted) => repository.versions(database.reader, id, wanted),
      );
      return { versions: rows.map(toVersion), next: next === null ? null : String(next) };
    },

    /** The template that a send names by its code. Throws NotFoundError TEMPLATE_NOT_FOUND, also where it is not active. */
    async forSend(
      executor: Executor,
      projectId: number,
      code: string,
    ): Promise<{ use: TemplateUse; content: ReadContent }> {
      const row = await repository.byCode(executor, projectId, code);
      if (!row) throw new NotFoundError(`There is no template with the code ${code}.`, 'TEMPLATE_NOT_FOUND');
      if (row.is_active === 0)
        throw new NotFoundError(`The template ${code} is not active.`, 'TEMPLATE_NOT_FOUND');
      const { id, version } = row;
      return { use: { id, code, version }, content: contentOf(id, version, row.content) };
    },

    /** The texts of a version that a message was made from; undefined where they are gone. */
    async contentOf(executor: Executor, id: string, version: number): Promise<ReadContent | undefined> {
      const known = read.get(`${id} ${version}`);
      if (known) return known;
      const row = await repository.version(executor, id, version);
      return row && contentOf(id, version, row.content);
    },

    /** Counts a message that is made from a template, once its transaction is on disk. */
    countUse(trx: Transaction, id: string): void {
      database.afterCommit(trx, () => usage.set(id, (usage.get(id) ?? 0) + 1));
    },

    /** Writes down what has been counted since the last time. */
    async flushUsage(): Promise<void> {
      if (usage.size === 0) return;
      const counted = [...usage];
      await database.transaction(async (trx) => {
        for (const [id, count] of counted) await repository.addUsage(trx, id, count);
      });
      for (const [id, count] of counted) {
        const left = usage.get(id)! - count;
        if (left === 0) usage.delete(id);
        else usage.set(id, left);
      }
    },

    /** Forgets what was deleted before a time (Unix ms); resolves to how many there were. */
    forgetDeleted: repository.forget,
  };
}

/** What the audit log says of a template. */
function inAudit({ name, isActive }: { name: string; isActive: boolean }, stored: string) {
  return { name, isActive, ...(JSON.parse(stored) as TemplateContent) };
}
