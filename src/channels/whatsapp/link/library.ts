import { createRequire } from 'node:module';
import { ConflictError } from '../../../errors/errors.ts';
import { OPTIONAL_DEPENDENCIES } from '../../../lib/version.ts';

const WITHOUT_BAILEYS = `Baileys, the library that talks to WhatsApp, is not installed here, so nothing is sent over WhatsApp. Run \`npm install --no-save baileys@${OPTIONAL_DEPENDENCIES.baileys}\` in the folder of WOTP and start the server again.`;

/** Says what to do where Baileys, an optional dependency, is not installed; undefined where it is. Loads nothing. */
export function baileysProblem(): string | undefined {
  try {
    createRequire(import.meta.url).resolve('baileys');
    return undefined;
  } catch (error) {
    if (isMissing(error)) return WITHOUT_BAILEYS;
    throw error;
  }
}

/**
 * Loads a module of WOTP that needs Baileys, which takes half a second and 60 MB.
 * @throws ConflictError that says what to do where Baileys is not installed
 */
export async function loadWithBaileys<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw isMissing(error) ? new ConflictError(WITHOUT_BAILEYS) : error;
  }
}

function isMissing(error: unknown): boolean {
  return ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes((error as NodeJS.ErrnoException).code ?? '');
}
