import { isForAdmin, isOpen, neededFor, type RouteAccess } from './access.ts';

/** What a caller needs, for people. */
const WORDS: Readonly<Record<string, string>> = {
  probe: 'nobody in particular; never limited',
  health: 'nobody in particular; limited by address',
  metrics: 'a client with `METRICS_TOKEN`; where none is set, this machine, and in production nobody',
  page: 'nobody in particular; limited by address',
  public: 'nobody in particular; limited by address',
  callback: 'its provider, by signature or token',
  'sign-in': 'nobody in particular; guesses are limited',
  'any-key': 'any API key',
};

/** The page docs/ROUTES.md: every route and its access, as the routes themselves name it. */
export function routesPage(access: RouteAccess): string {
  const rows = [...access]
    .sort(([a], [b]) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map(([route, needed]) => {
      const [method, path] = route.split(' ');
      const who = isOpen(needed)
        ? WORDS[needed ?? 'public']
        : isForAdmin(needed)
          ? 'the administrator'
          : (WORDS[needed] ?? `an API key with \`${neededFor(needed)}\``);
      return `| ${method} | \`${path}\` | \`${needed}\` | ${who} |`;
    });
  return [
    '# Routes',
    '',
    'Every route of a server in mock mode and who may call it. `npm run docs` writes this page; a route that does not name',
    'its access stops the start. The administrator may call every route.',
    '',
    '| method | path | access | who may call it |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** Sorts by path, then by method. */
function keyOf(route: string): string {
  const [method = '', path = ''] = route.split(' ');
  return `${path} ${method}`;
}
