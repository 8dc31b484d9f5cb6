import type { Config } from '../config/config.ts';
import { looseLimits } from '../config/loose-settings.ts';
import type { Actor } from '../database/acts.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import { ValidationError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { checkedChanges, type FeatureCheck } from './checks.ts';
import { INSTALLATION, type Layers, layersOf, type StoredSetting } from './layers.ts';
import type { Settings } from './settings.ts';
import { OF_INSTALLATION, PLACES, shownValue, valueIn } from './values.ts';

/** Where a value in force comes from. */
type SetBy = 'default' | 'environment' | 'installation' | 'project';

/** A setting as administrators see it. Times are Unix ms. */
export interface SettingView {
  key: string;
  /** `***` for a secret that is set. */
  value: ReturnType<typeof shownValue>;
  default: ReturnType<typeof shownValue>;
  setBy: SetBy;
  /** Whether it can be set over the API, and is in force with the next request. */
  live: boolean;
  secret: boolean;
  /** When the value in force was set, and by whom; null where it was not set over the API. */
  updatedAt: number | null;
  updatedBy: string | null;
  allowed: string;
  help: string;
}

/** A change of a setting. Values as the environment would have them; null is unset. */
export interface SettingChange {
  seq: number;
  key: string;
  from: string | null;
  to: string | null;
  changedAt: number;
  changedBy: string;
}

/** The row of `settings` that counts the changes, by which a process learns that there was one. */
const VERSION_KEY = 'settings_version';

/** The settings in force, which can be changed while the server runs. */
export type LiveSettings = Awaited<ReturnType<typeof openSettings>>;

/** Reads what was set over the API, and puts it on what the environment says. */
export async function openSettings(deps: {
  database: Database;
  config: Config;
  events: EventRecorder;
  clock: Clock;
}) {
  const { database, config, events, clock } = deps;
  const checks = new Map<string, FeatureCheck>();
  const readVersion = database.prepare<{ key: string }, { value: string }>((db, value) =>
    db.selectFrom('settings').select('value').where('key', '=', value('key')),
  );

  async function versionIn(executor: Executor): Promise<number> {
    const [row] = await readVersion(executor, { key: VERSION_KEY });
    return Number(row?.value ?? 0);
  }

  async function storedIn(executor: Executor): Promise<StoredSetting[]> {
    const rows = await executor.selectFrom('setting_values').selectAll().execute();
    return rows.map((row) => ({
      projectId: row.project_id,
      key: row.key,
      text: row.value,
      updatedAt: row.updated_at,
      updatedBy: row.updated_by,
    }));
  }

  let version = await versionIn(database.reader);
  let layers: Layers = layersOf(config, await storedIn(database.reader));

  /** What was read earlier than what is known changes nothing. */
  function take(read: { version: number; layers: Layers }): void {
    if (read.version <= version) return;
    ({ version, layers } = read);
  }

  /** Makes what the transaction has written the settings in force once it is committed, here and elsewhere. */
  async function publish(trx: Transaction): Promise<void> {
    const next = (await versionIn(trx)) + 1;
    const row = { key: VERSION_KEY, value: String(next) };
    await trx
      .insertInto('settings')
      .values(row)
      .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
      .execute();
    const changed = layersOf(config, await storedIn(trx));
    database.afterCommit(trx, () => take({ version: next, layers: changed }));
  }

  async function write(
    trx: Transaction,
    {
      projectId,
      key,
      from,
      to,
      actor,
    }: { projectId: number; key: string; from: string | null; to: string | null; actor: string },
  ): Promise<void> {
    const now = clock.now();
    if (to === null) {
      await trx
        .deleteFrom('setting_values')
        .where('project_id', '=', projectId)
        .where('key', '=', key)
        .execute();
    } else {
      const row = { project_id: projectId, key, value: to, updated_at: now, updated_by: actor };
      await trx
        .insertInto('setting_values')
        .values(row)
        .onConflict((conflict) => conflict.columns(['project_id', 'key']).doUpdateSet(row))
        .execute();
    }
    await trx
      .insertInto('setting_changes')
      .values({
        project_id: projectId,
        key,
        old_value: from,
        new_value: to,
        changed_at: now,
        changed_by: actor,
      })
      .execute();
  }

  function viewOf(projectId: number, key: string): SettingView {
    const place = PLACES.get(key)!;
    const { variable } = place;
    const ofProject = projectId === INSTALLATION ? undefined : layers.ownOf(projectId).get(key);
    const isGiven = config.given.has(key);
    const ofInstallation = isGiven ? undefined : layers.ownOf(INSTALLATION).get(key);
    const row = ofProject ?? ofInstallation;
    const value = valueIn(layers.configOf(projectId), place);
    const isMasked = variable.secret && value !== undefined;
    return {
      key,
      value: isMasked ? '***' : shownValue(value),
      default: variable.secret ? null : shownValue(isGiven ? variable.fallback : valueIn(config, place)),
      setBy: ofProject ? 'project' : isGiven ? 'environment' : ofInstallation ? 'installation' : 'default',
      live: OF_INSTALLATION.has(key),
      secret: variable.secret,
      updatedAt: row?.updatedAt ?? null,
      updatedBy: row?.updatedBy ?? null,
      allowed: variable.allowed,
      help: variable.help,
    };
  }

  const settings: Settings = {
    of: (projectId) => layers.of(projectId),
    get projectsWithOwn() {
      return layers.projectsWithOwn;
    },
  };

  return Object.assign(settings, {
    /** What a feature knows of the values of a setting, beside what the environment is held to. */
    check(key: string, allowed: FeatureCheck): void {
      checks.set(key, allowed);
    },

    /** The settings in force for a project, or for the installation, in the order of the documentation. */
    view: (projectId: number): SettingView[] => [...PLACES.keys()].map((key) => viewOf(projectId, key)),

    /**
     * Sets values for a project, or for the installation; null unsets one. All or none.
     * @param given by the names of the variables
     * @returns those that were named, as they are once the transaction is committed
     * @throws ValidationError with everything that is wrong
     */
    async set(
      trx: Transaction,
      projectId: number,
      given: Readonly<Record<string, unknown>>,
      by: Actor,
    ): Promise<() => SettingView[]> {
      // In one order everywhere, so that versions grow in the order of commits.
      await database.serialize(trx, 'settings');
      const now = layersOf(config, await storedIn(trx));
      const { changes, problems } = checkedChanges(given, {
        projectId,
        inForce: now.configOf(projectId),
        installation: now.configOf(INSTALLATION),
        checks,
      });
      if (problems.length > 0) throw new ValidationError(problems[0]!.message, problems);
      const own = now.ownOf(projectId);
      const made = [...changes]
        .map(([key, to]) => ({ key, from: own.get(key)?.text ?? null, to }))
        .filter(({ from, to }) => from !== to);
      for (const change of made) await write(trx, { projectId, ...change, actor: by.name });
      if (made.length > 0) {
        await events.record(trx, { type: 'settings.changed', projectId, data: { changes: made }, by });
        await publish(trx);
      }
      return () => [...changes.keys()].map((key) => viewOf(projectId, key));
    },

    /** What was changed for a project, or for the installation, newest first. */
    async history(
      projectId: number,
      { before, limit }: { before?: number | undefined; limit: number },
    ): Promise<{ changes: SettingChange[]; next: number | null }> {
      let query = database.reader
        .selectFrom('setting_changes')
        .selectAll()
        .where('project_id', '=', projectId);
      if (before !== undefined) query = query.where('seq', '<', before);
      const rows = await query
        .orderBy('seq', 'desc')
        .limit(limit + 1)
        .execute();
      const shown = rows.slice(0, limit).map((row) => ({
        seq: row.seq,
        key: row.key,
        from: row.old_value,
        to: row.new_value,
        changedAt: row.changed_at,
        changedBy: row.changed_by,
      }));
      return { changes: shown, next: rows.length > limit ? shown.at(-1)!.seq : null };
    },

    /** A sentence for each limit that was set over the API to less than is recommended, for the log of the start. */
    loose(): string[] {
      const ofEnvironment = looseLimits(config);
      const all = [INSTALLATION, ...layers.projectsWithOwn].flatMap((projectId) =>
        looseLimits(layers.configOf(projectId)).filter((sentence) => !ofEnvironment.includes(sentence)),
      );
      return [...new Set(all)].map((sentence) => `${sentence} It was set over the API.`);
    },

    /** Reads what other processes have changed. */
    async refresh(): Promise<void> {
      const seen = await versionIn(database.reader);
      if (seen <= version) return;
      // What is read after the version is at least as new; a version that came between is read again.
      take({ version: seen, layers: layersOf(config, await storedIn(database.reader)) });
    },
  });
}
