import type { Config } from '../config/config.ts';
import { type ProjectSettings, rulesOf, type Settings } from './settings.ts';
import { OF_INSTALLATION, OF_PROJECTS, type Texts, withTexts } from './values.ts';

/** Stands in place of a project's number for the installation as a whole. */
export const INSTALLATION = 0;

/** A setting that was set over the API. */
export interface StoredSetting {
  /** The number of the project; `INSTALLATION` for all of them. */
  readonly projectId: number;
  readonly key: string;
  /** As the environment would have it. */
  readonly text: string;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

/** What holds for the installation, and for each project that has settings of its own. */
export interface Layers extends Settings {
  /** The configuration in force for a project, or for the installation. */
  configOf(projectId: number): Config;
  /** What was set for a project, or for the installation, by name. */
  ownOf(projectId: number): ReadonlyMap<string, StoredSetting>;
}

const textsOf = (
  own: ReadonlyMap<string, StoredSetting>,
  allowed: ReadonlySet<string>,
): Map<string, string> =>
  new Map([...own].filter(([key]) => allowed.has(key)).map(([key, { text }]) => [key, text]));

/** The configuration of the installation: what is set in the environment is stronger than what is set over the API. */
function installationConfig(config: Config, texts: Texts): Config {
  const behind = new Map([...texts].filter(([key]) => !config.given.has(key)));
  return withinLife(withTexts(config, behind));
}

/** The configuration of a project: its own values, else the installation's. */
function projectConfig(installation: Config, texts: Texts): Config {
  const config = withinLife(withTexts(installation, texts));
  const maxAttempts = Math.min(config.otp.maxAttempts, installation.otp.maxAttempts);
  return { ...config, otp: { ...config.otp, maxAttempts } };
}

/** A bound that was tightened after a value was set holds at once. */
function withinLife(config: Config): Config {
  const { expiryMinutes, maxExpiryMinutes } = config.otp;
  return { ...config, otp: { ...config.otp, expiryMinutes: Math.min(expiryMinutes, maxExpiryMinutes) } };
}

const NOTHING: ReadonlyMap<string, StoredSetting> = new Map();

/** Puts what was set over the API on the configuration of the process. */
export function layersOf(config: Config, stored: readonly StoredSetting[]): Layers {
  const own = new Map<number, Map<string, StoredSetting>>();
  for (const each of stored) {
    const settings = own.get(each.projectId) ?? new Map<string, StoredSetting>();
    own.set(each.projectId, settings.set(each.key, each));
  }
  const usualConfig = installationConfig(config, textsOf(own.get(INSTALLATION) ?? NOTHING, OF_INSTALLATION));
  const usual = rulesOf(usualConfig);
  const configs = new Map<number, Config>();
  const rules = new Map<number, ProjectSettings>();
  for (const [projectId, settings] of own) {
    if (projectId === INSTALLATION) continue;
    const ofProject = projectConfig(usualConfig, textsOf(settings, OF_PROJECTS));
    configs.set(projectId, ofProject);
    rules.set(projectId, rulesOf(ofProject));
  }
  return {
    of: (projectId) => rules.get(projectId) ?? usual,
    projectsWithOwn: [...rules.keys()],
    configOf: (projectId) => configs.get(projectId) ?? usualConfig,
    ownOf: (projectId) => own.get(projectId) ?? NOTHING,
  };
}
