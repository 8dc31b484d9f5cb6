import { GROUPS, TITLES } from './groups.ts';
import type { Variable } from './variable.ts';

interface Section {
  title: string;
  variables: Variable<unknown>[];
}

/** The text of `.env.example`: every variable with its help and, unless it is a secret, its default. */
export function envExample(): string {
  const sections = sectionsInOrder().map(({ title, variables }) =>
    [`# ---- ${title} ----`, ...variables.map(exampleOf)].join('\n\n'),
  );
  return `# Copy this file to .env, remove the # before a name and change its value.
# Put a value with a # or with spaces at its ends in quotes. All about settings: docs/CONFIGURATION.md
# Generated from src/config by "npm run docs".

${sections.join('\n\n')}
`;
}

/** The text of `docs/CONFIGURATION.md`: how settings are read, and a table for each group. */
export function configurationPage(): string {
  const tables = sectionsInOrder().map(({ title, variables }) => {
    const rows = variables.map(rowOf).join('\n');
    return `## ${title}\n\n| variable | default | allowed | what it does | secret |\n|---|---|---|---|---|\n${rows}\n`;
  });
  return `# Configuration

Settings are environment variables. They can also stand in a file \`.env\` in the folder the server is started
in, as \`NAME=value\` lines; a value with a \`#\` in it, or with spaces at its ends, needs quotes. Where both
name a variable the environment wins, even with an empty value. An empty value is the same as none. Names that
are not listed here are ignored; one that is nearly a setting (\`TRUST_PROXI\`) is named at the start: in \`.env\`
every such name, in the environment those of six letters or more. A secret in \`.env\` that is cut short by a \`#\` or
a quote stops the start.

A wrong value stops the start. All problems are printed at once, one line each: the variable, what was given
(secrets as \`***\`), what is allowed.

The server does not start

- with \`DATABASE_URL\` and no \`DB_MASTER_KEY\`;
- with \`NODE_ENV=production\` and no \`DB_MASTER_KEY\` or no \`MASTER_PASSWORD\`, or with a placeholder, a published default
  or an easily guessed text as either. Elsewhere such secrets are named at the start. Commands take any, so that
  \`master-key rotate\` can move data off a weak one;
- with \`NODE_ENV=production\` and \`BOT_MOCK_MODE=true\`;
- with only one of \`SMTP_URL\` and \`SMTP_FROM\`, with some of the three \`SMTP_DKIM_\` settings and not all, or where a file
  that they name cannot be read or holds no usable key.

Settings that are less strict than recommended are allowed and named at every start, in the banner and in the log. In
production these are also:

- an http \`PUBLIC_URL\`;
- a \`HOST\` that others reach without both an https \`PUBLIC_URL\` and \`TRUST_PROXY\`;
- a \`DATABASE_URL\` to another machine without TLS;
- Node's own \`NODE_TLS_REJECT_UNAUTHORIZED=0\`.

Keep \`.env\` readable by its owner alone (\`chmod 600 .env\`) once a secret stands in it.

This page and \`.env.example\` are generated from \`src/config/\` by \`npm run docs\`.

${tables.join('\n')}`;
}

function sectionsInOrder(): Section[] {
  return Object.entries(GROUPS).map(([group, variables]) => ({
    title: TITLES[group as keyof typeof GROUPS],
    variables: Object.values(variables),
  }));
}

function exampleOf({ name, help, allowed, defaultText, fallback, secret }: Variable<unknown>): string {
  const isFixed = fallback !== undefined && !Array.isArray(fallback);
  const note = defaultText !== '' && !isFixed ? `\n# Default: ${defaultText.replaceAll('`', '')}.` : '';
  const comment = `# ${help.replaceAll('`', '')}\n# Allowed: ${allowed}.${note}`;
  return `${comment}\n#${name}=${isFixed && !secret ? String(fallback) : ''}`;
}

function rowOf({ name, help, allowed, defaultText, fallback, secret }: Variable<unknown>): string {
  const isFixed = fallback !== undefined && !Array.isArray(fallback);
  const shownDefault = isFixed ? `\`${defaultText}\`` : defaultText || '–';
  const cells = [`\`${name}\``, shownDefault, allowed, help, secret ? 'yes' : 'no'];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
