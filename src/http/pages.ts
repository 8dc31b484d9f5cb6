import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** The built pages beside the built server, or their source when the server runs from source. */
const FOLDERS = ['../dashboard', '../../dashboard'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** Where the pages' files lie. */
export function pagesFolder(): string {
  const root = FOLDERS.find((folder) => existsSync(folder));
  if (!root) throw new Error('The pages are missing; run `npm run build`.');
  return root;
}

/** Serves the page at `/` and its files. The page itself holds no data; what it shows needs a session. */
export async function servePages(server: FastifyInstance): Promise<void> {
  const root = pagesFolder();
  await server.register(fastifyStatic, { root: `${root}/assets`, prefix: '/assets/', index: false });
  server.get('/', { schema: { hide: true } }, (_request, reply) =>
    reply.header('cache-control', 'no-cache').sendFile('index.html', root),
  );
}
