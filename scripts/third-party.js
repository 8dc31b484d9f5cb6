// @ts-check

/**
 * @typedef {{ version?: string, license?: string, dev?: boolean, devOptional?: boolean, optional?: boolean }} LockedPackage
 */

/** What packages hold that others have written, and their own licence does not say. */
const INSIDE = [
  {
    name: 'better-sqlite3-multiple-ciphers',
    holds:
      '[SQLite](https://sqlite.org/copyright.html) (public domain) and [SQLite3 Multiple Ciphers](https://github.com/utelle/SQLite3MultipleCiphers) (MIT)',
  },
];

/** Licences that packages state in their files and not in the field for it. */
const LOOKED_UP = new Map([
  ['httpntlm', 'MIT'],
  ['stack-trace', 'MIT'],
]);

/**
 * The text of THIRD_PARTY.md: every package of the lock file with its version and licence.
 * @param {{ packages: Record<string, LockedPackage> }} lock the content of package-lock.json
 */
export function thirdPartyPage({ packages }) {
  const all = Object.entries(packages)
    .filter(([place]) => place !== '')
    .map(([place, entry]) => {
      const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const license = entry.license ?? LOOKED_UP.get(name);
      if (!license) throw new Error(`${name} names no licence: look it up before you use it.`);
      return { name, ...entry, license };
    });
  const of = (/** @type {(entry: LockedPackage) => boolean | undefined} */ isMeant) => all.filter(isMeant);
  const development = of(({ dev, devOptional }) => dev || devOptional);
  const optional = of(({ dev, devOptional, optional }) => optional && !dev && !devOptional);
  const needed = of(({ dev, devOptional, optional }) => !optional && !dev && !devOptional);
  const inside = INSIDE.filter(({ name }) => needed.some((entry) => entry.name === name));
  return `# Third-party licences

Generated from \`package-lock.json\` by \`npm run docs\`. The licence texts are in \`node_modules\`, in each package's folder.
What the GPL-3.0 of \`libsignal\` means for you is in the [README](README.md#license).

## Needed to run

${table(needed)}
${inside.map(({ name, holds }) => `\n- \`${name}\` contains ${holds}.`).join('')}

## Optional

Baileys, which WhatsApp needs, with its own dependencies, and two extras of other packages. \`npm install --omit=optional\`
leaves all of them out.

${table(optional)}

## Used for development only

Not installed with \`npm install --omit=dev\`, and not part of what a user runs.

${table(development)}
`;
}

/** @param {(LockedPackage & { name: string })[]} entries */
function table(entries) {
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rows = sorted.map(({ name, version, license }) => `| \`${name}\` | ${version} | ${license} |`);
  return `| package | version | licence |\n|---|---|---|\n${[...new Set(rows)].join('\n')}`;
}
