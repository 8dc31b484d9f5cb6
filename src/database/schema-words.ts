/** What the comments in `tables/` say of one table. */
export interface TableWords {
  purpose: string;
  /** How long its rows stay. */
  kept: string;
  columns: Map<string, string>;
  /** Why there is each index, by its name. */
  indexes: Map<string, string>;
}

const TABLE = /^ {2}(\w+): \{$/;
const COLUMN = /^ {4}(\w+): .*;$/;

/** Reads the comments of a file of `tables/`, table by table. Knows its layout, which Biome keeps. */
export function schemaWords(source: string): Map<string, TableWords> {
  const tables = new Map<string, TableWords>();
  let table: TableWords | undefined;
  let comment: string[] = [];
  for (const line of source.split(/^export interface \w+Tables \{$/m)[1]!.split('\n')) {
    const [, tableName] = TABLE.exec(line) ?? [];
    const [, columnName] = COLUMN.exec(line) ?? [];
    if (tableName) {
      table = tableWords(comment);
      tables.set(tableName, table);
    } else if (columnName) table?.columns.set(columnName, comment.join(' '));
    if (/^\s*(\/\*\*|\*)/.test(line)) comment.push(textOf(line));
    else comment = [];
  }
  return tables;
}

function textOf(line: string): string {
  return line
    .trim()
    .replace(/^(\/\*\*|\*\/|\*)/, '')
    .replace(/\*\/$/, '')
    .trim();
}

/** A table's comment: its purpose, then what its tags say; a tag goes on until the next one. */
function tableWords(comment: readonly string[]): TableWords {
  const [purpose = '', ...tags] = comment.join(' ').split(/ @(?=\w)/);
  const tagged = (name: string) =>
    tags.filter((tag) => tag.startsWith(`${name} `)).map((tag) => tag.slice(name.length + 1).trim());
  return {
    purpose: purpose.trim(),
    kept: tagged('kept').join(' '),
    columns: new Map(),
    indexes: new Map(tagged('index').map((tag) => splitOnce(tag))),
  };
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf(' ');
  return [text.slice(0, at), text.slice(at + 1)];
}
