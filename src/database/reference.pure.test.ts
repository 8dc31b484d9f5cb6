import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { databasePage, migratedTables, writtenWords } from './reference.ts';

const words = writtenWords();
let tables: Awaited<ReturnType<typeof migratedTables>>;
beforeAll(async () => {
  tables = await migratedTables();
});

describe('docs/DATABASE.md', () => {
  test('is current: run `npm run docs` after a change of the migrations or of schema.ts', async () => {
    const committed = readFileSync(new URL('../../docs/DATABASE.md', import.meta.url), 'utf8');
    expect(committed).toBe(await databasePage());
  });

  test('draws every table, and a line for every column that names a row of another table', async () => {
    const [, diagram = ''] = /```mermaid\nerDiagram\n([^`]+)```/.exec(await databasePage()) ?? [];
    const entities = [...diagram.matchAll(/^ {2}(\w+) \{$/gm)].map(([, name]) => name);
    expect(entities).toEqual(tables.map(({ name }) => name));
    expect(diagram).toContain('  projects ||--o{ api_keys : project_id\n');
    expect(diagram).toContain('  key_versions ||..o{ messages : key_version\n');
    expect(diagram).toContain('  messages |o..o{ events : message_id\n');
    expect(diagram).not.toContain('rate_limits |o');
    // What Mermaid can read: a type and a name without spaces, and marks of keys.
    for (const line of diagram.trimEnd().split('\n')) {
      expect(line).toMatch(
        /^ {2}(\w+ \{|\}|\w+ \|[|o](--|\.\.)o[|{] \w+ : \w+| {2}[a-z]+ \w+( (PK|FK|UK)(, (FK|UK))*)?)$/,
      );
    }
  });
});

describe('schema.ts', () => {
  test('has the tables and columns that the migrations make, no more and no less', () => {
    const described = [...words].map(([name, { columns }]) => [name, [...columns.keys()].sort()]);
    const made = tables.map(({ name, columns }) => [name, columns.map((column) => column.name).sort()]);
    expect(Object.fromEntries(described)).toEqual(Object.fromEntries(made));
  });

  test('says of every table what it is for and how long its rows stay, and of every column what it is', () => {
    const silent = [...words].flatMap(([name, { purpose, kept, columns }]) => [
      ...(purpose === '' ? [`${name}: what it is for`] : []),
      ...(kept === '' ? [`${name}: @kept`] : []),
      ...[...columns].filter(([, text]) => text === '').map(([column]) => `${name}.${column}`),
    ]);
    expect(silent).toEqual([]);
  });

  test('says why there is each index, and of no other', () => {
    const explained = [...words.values()].flatMap(({ indexes }) => [...indexes.keys()]);
    const made = tables.flatMap(({ indexes }) => indexes.map(({ name }) => name));
    expect(explained.sort()).toEqual(made.sort());
  });
});
