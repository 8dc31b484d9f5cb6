// @ts-check
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { prepare } from './prepare.js';
import { thirdPartyPage } from './third-party.js';

await prepare({ dev: false });
mkdirSync(new URL('../docs', import.meta.url), { recursive: true });

const config = await import(new URL('../dist/config/reference.js', import.meta.url).href);
write('.env.example', config.envExample());
write('docs/CONFIGURATION.md', config.configurationPage());

const errorsReference = new URL('../dist/errors/reference.js', import.meta.url);
if (existsSync(errorsReference)) write('docs/ERRORS.md', (await import(errorsReference.href)).errorsPage());

const databaseReference = new URL('../dist/database/reference.js', import.meta.url);
write('docs/DATABASE.md', await (await import(databaseReference.href)).databasePage());

const lockFile = new URL('../package-lock.json', import.meta.url);
write('THIRD_PARTY.md', thirdPartyPage(JSON.parse(readFileSync(lockFile, 'utf8'))));

/**
 * @param {string} path from the root of the repository
 * @param {string} text
 */
function write(path, text) {
  writeFileSync(new URL(`../${path}`, import.meta.url), text);
  process.stdout.write(`Wrote ${path}\n`);
}
