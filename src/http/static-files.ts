import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.yaml': 'application/yaml; charset=utf-8',
};

/** A file as it is served: from memory, so that no request holds a descriptor. */
export interface StaticFile {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
}

/**
 * A file to serve under this name, whose ending says its type.
 * @throws Error for an ending of no known type
 */
export function staticFile(name: string, content: string | Buffer): StaticFile {
  const type = TYPES[extname(name)];
  if (!type) throw new Error(`No content type is known for ${name}.`);
  const body = Buffer.from(content);
  return { body, type, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}

/** The files of a folder, without those in folders inside it, by their names. */
export function readFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(names.map(({ name }) => [name, staticFile(name, readFileSync(join(folder, name)))]));
}

/** Answers with a file, or with 304 when the client has it already (RFC 9110, 13.1.2). */
export function sendFile(request: FastifyRequest, reply: FastifyReply, file: StaticFile): FastifyReply {
  // Names stay the same over versions, so a browser has to ask each time.
  reply.header('cache-control', 'no-cache').header('etag', file.etag);
  if (hasAlready(request, file.etag)) return reply.code(304).send();
  return reply.type(file.type).send(file.body);
}

function hasAlready({ headers }: FastifyRequest, etag: string): boolean {
  const known = headers['if-none-match'];
  if (known === undefined) return false;
  return known.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
}
