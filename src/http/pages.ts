import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { phoneFormats } from '../addresses/phone-formats.ts';
import { NotFoundError } from '../errors/errors.ts';
import { readFiles, sendFile, staticFile } from './static-files.ts';

/** The built pages beside the built server, or their source when the server runs from source. */
const FOLDERS = ['../dashboard', '../../dashboard'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** Serves the page at `/` and its files. The page itself holds no data; what it shows needs a session. */
export function servePages(server: FastifyInstance): void {
  const root = FOLDERS.find((folder) => existsSync(folder));
  if (!root) throw new Error('The pages are missing; run `npm run build`.');
  const formats = staticFile('phone-formats.json', JSON.stringify(phoneFormats()));
  const files = new Map([...readFiles(`${root}/assets`), ['phone-formats.json', formats]]);
  const index = staticFile('index.html', readFileSync(`${root}/index.html`));
  server.get('/', { config: { access: 'page' }, schema: { hide: true } }, (request, reply) =>
    sendFile(request, reply, index),
  );
  server.get<{ Params: { '*': string } }>(
    '/assets/*',
    { config: { access: 'page' }, schema: { hide: true } },
    (request, reply) => {
      const file = files.get(request.params['*']);
      if (!file) throw new NotFoundError('There is no file at this address.');
      return sendFile(request, reply, file);
    },
  );
}
