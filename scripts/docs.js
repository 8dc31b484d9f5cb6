// @ts-check
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiTypes } from './api-types.js';
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

const eventsReference = new URL('../dist/events/reference.js', import.meta.url);
write('docs/EVENTS.md', (await import(eventsReference.href)).eventsPage());

const { routesPage, document, yaml } = await reference();
write('docs/ROUTES.md', routesPage);
write('docs/openapi.yaml', yaml);
const { apiPage } = await import(new URL('../dist/http/openapi/api-page.js', import.meta.url).href);
write('docs/API.md', apiPage(document));
const postman = await import(new URL('../dist/http/openapi/postman-collection.js', import.meta.url).href);
write('docs/postman_collection.json', `${JSON.stringify(postman.postmanCollection(document), null, 2)}\n`);
write('sdk/src/api-types.ts', await apiTypes(document));

const metrics = await import(new URL('../dist/metrics/catalogue.js', import.meta.url).href);
write('docs/METRICS.md', metrics.metricsPage());

const lockFile = new URL('../package-lock.json', import.meta.url);
write('THIRD_PARTY.md', thirdPartyPage(JSON.parse(readFileSync(lockFile, 'utf8'))));

/** The page of routes and the OpenAPI document, also in YAML, of a server that is built and not started. */
async function reference() {
  const dist = (/** @type {string} */ name) => import(new URL(`../dist/${name}`, import.meta.url).href);
  const { loadConfig } = await dist('config/config.js');
  const { buildApp } = await dist('app.js');
  const { openLog } = await dist('lib/logger.js');
  const { routesPage } = await dist('http/routes-page.js');
  const dir = mkdtempSync(join(tmpdir(), 'wotp-docs-'));
  const config = loadConfig({ DATA_DIR: dir }, { cwd: dir });
  const { log } = openLog({ level: 'silent', dir: undefined });
  const app = await buildApp({
    config,
    log,
    onFatal: (/** @type {Error} */ error) => {
      throw error;
    },
  });
  await app.server.ready();
  const page = routesPage(app.server.access);
  const document = app.server.swagger();
  const yaml = app.server.swagger({ yaml: true });
  await app.stop();
  rmSync(dir, { recursive: true });
  return { routesPage: page, document, yaml };
}

/**
 * @param {string} path from the root of the repository
 * @param {string} text
 */
function write(path, text) {
  writeFileSync(new URL(`../${path}`, import.meta.url), text);
  process.stdout.write(`Wrote ${path}\n`);
}
