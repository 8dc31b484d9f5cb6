import { readFileSync } from 'node:fs';

/*
 * The numbers and texts of `docs/WODB_SPEC.md`, taken from its sentences and tables, so that what the tests read a
 * database with is what the page says and nothing else.
 */

const PAGE = readFileSync(new URL('../../docs/WODB_SPEC.md', import.meta.url), 'utf8');

/** What stands in the page where a pattern's groups are. Throws when the page does not say it. */
export function specSays(pattern: RegExp): string[] {
  const found = pattern.exec(PAGE);
  if (!found) throw new Error(`docs/WODB_SPEC.md does not say ${pattern}.`);
  return found.slice(1);
}

/** The cells of the rows of tables that `row` fits, without their backticks. */
export function specRows(row: RegExp): string[][] {
  return PAGE.split('\n')
    .filter((line) => line.startsWith('|') && row.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

const numbers = (pattern: RegExp) => specSays(pattern).map(Number) as [number, ...number[]];

const [N, r, p, keyBytes] = numbers(
  /scrypt\(password = .* N = (\d+), r = (\d+), p = (\d+), length = (\d+)\)/,
);

/** From the master key to the keys (section 2). */
export const KEYS = {
  saltBytes: numbers(/salt {6}= bytes 0-(\d+) of wotp\.wodb/)[0] + 1,
  scrypt: { N: N!, r: r!, p: p!, maxmem: 2 * 128 * N! * r! },
  bytes: keyBytes!,
  hmacSaltMask: numbers(/HMAC salt = salt, each byte XOR (0x[0-9a-f]+)/)[0],
  hmacIterations: numbers(/PBKDF2-HMAC-SHA512\(password = file key, HMAC salt, (\d+) iterations/)[0],
  /** The info of HKDF for a purpose (section 6). */
  infoOf: (purpose: string, version: number) =>
    specSays(/info = "(WOTP <purpose> <version>)"/)[0]!
      .replace('<purpose>', purpose)
      .replace('<version>', String(version)),
  keyringCheckText: specSays(/of the text `(WOTP keyring check \d)`/)[0]!,
  fileCheckText: specSays(/under the file key, of the text `(WODB key check \d)`/)[0]!,
} as const;

/** The layout of a page (section 3). */
export const LAYOUT = {
  pageBytes: numbers(/a row of pages of (\d+) bytes/)[0],
  usableBytes: numbers(/; (\d+) bytes are\s+usable/)[0],
  iv: {
    from: numbers(/^\| (\d+)-\d+ \| IV \| IV \|$/m)[0],
    to: numbers(/^\| \d+-(\d+) \| IV \| IV \|$/m)[0] + 1,
  },
  hmac: {
    from: numbers(/^\| (\d+)-\d+ \| HMAC \| HMAC \|$/m)[0],
    to: numbers(/^\| \d+-(\d+) \| HMAC \| HMAC \|$/m)[0] + 1,
  },
  /** What page 1 begins with once it is decrypted. */
  plainHeader: Buffer.from(
    specSays(/With the 16 bytes `(SQLite format 3)\\0` in front/)[0]!.concat('\0'),
    'latin1',
  ),
} as const;

/** The layout of the WAL (section 4). */
export const WAL = {
  headerBytes: numbers(/SQLite WAL: a header of (\d+) bytes/)[0],
  frameHeaderBytes: numbers(/then frames of (\d+) bytes of header and one page/)[0],
} as const;

/** The values that stand in the header of page 1 of every file, by their place. */
export function headerValue(at: string): string {
  return specRows(new RegExp(`^\\| ${at} \\|`)).at(-1)![1]!;
}
