import { readFileSync } from 'node:fs';
import type { Access } from '../../src/http/access.ts';

const PAGE = readFileSync(new URL('../../docs/ROUTES.md', import.meta.url), 'utf8');

/** Every route and its access, as docs/ROUTES.md has them; a test holds the page to what is served. */
export const ROUTE_ACCESS: Readonly<Record<string, Access>> = Object.fromEntries(
  [...PAGE.matchAll(/^\| (\w+) \| `([^`]+)` \| `([^`]+)` \|/gm)].map(([, method, path, access]) => [
    `${method} ${path}`,
    access as Access,
  ]),
);
