import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
  optionalDependencies: { baileys: string };
};

/** The version of this program (Semantic Versioning), from its package.json. */
export const VERSION = manifest.version;

/** The versions of the packages that may be left out. */
export const OPTIONAL_DEPENDENCIES = manifest.optionalDependencies;
