import { isUtf8 } from 'node:buffer';
import { ValidationError } from '../errors/errors.ts';
import { counted } from '../lib/counted.ts';
import { PLACEHOLDER_NAME } from '../templates/template.ts';

/** The most bytes a row may have. */
export const ROW_MAX_BYTES = 16_384;

/** A row as it was given: the cells that hold something, by the names of their columns. */
export interface GivenRow {
  /** Where it stands: the line in the file on which it begins, or its place in `recipients`, from 0. */
  line: number;
  cells: ReadonlyMap<string, string>;
}

/** A row that cannot be read. */
export interface BadRow {
  line: number;
  message: string;
}

const BYTE_ORDER_MARK = Buffer.from('\ufeff');
const [QUOTE, CR, LF] = Buffer.from('"\r\n') as unknown as [number, number, number];
/** The columns of which a file needs one. */
const ADDRESSES = ['phone', 'email'];
const DELIMITERS = [',', ';', '\t'] as const;
/** How Excel writes a text that it would else turn into a number: `="0812…"`. */
const TEXT_FORMULA = /^="(.*)"$/s;

/**
 * Reads CSV (RFC 4180) row by row, as spreadsheets write it: with a byte order mark or without, lines ended by CRLF, LF or
 * CR, cells separated by comma, semicolon or tab, whichever the first line has most of. The first line names the columns.
 * Rows without any content are skipped. Of the file only the row at hand is text.
 * @throws ValidationError where nothing of the file can be read: not UTF-8, or column names that cannot be used
 */
export function* readCsv(bytes: Buffer): Generator<GivenRow | BadRow> {
  refuseOtherEncodings(bytes);
  let columns: string[] | undefined;
  for (const row of rowsOf(bytes)) {
    if ('message' in row) yield row;
    else if (row.cells.every((cell) => cell === '')) continue;
    else if (columns === undefined) columns = columnsOf(row);
    else yield withNames(row, columns);
  }
  if (columns === undefined) throw refused(1, 'The file is empty. Its first line names the columns.');
}

/** A row of cells, and the line on which it begins. */
interface Cells {
  line: number;
  cells: string[];
}

/** The rows; after a quotation mark that is not closed none follows. */
function* rowsOf(bytes: Buffer): Generator<Cells | BadRow> {
  const delimiter = delimiterOf(bytes);
  let at = bytes.indexOf(BYTE_ORDER_MARK) === 0 ? BYTE_ORDER_MARK.length : 0;
  for (let line = 1; at < bytes.length; line++) {
    const start = at;
    const row: Cells = { line, cells: [] };
    for (;;) {
      const quoted = bytes[at] === QUOTE ? quotedText(bytes, at, start + ROW_MAX_BYTES) : undefined;
      if (quoted === null) {
        const message = `A quotation mark is not closed within ${ROW_MAX_BYTES} bytes.`;
        yield { line: row.line, message };
        return;
      }
      at = quoted?.end ?? at;
      line += quoted?.lineEnds ?? 0;
      const rest = at;
      while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== LF && bytes[at] !== CR) at++;
      if (at - start <= ROW_MAX_BYTES) {
        const cell = `${quoted?.text ?? ''}${bytes.toString('utf8', rest, at)}`;
        row.cells.push(cell.replace(TEXT_FORMULA, '$1').trim());
      }
      if (at >= bytes.length || bytes[at] !== delimiter) break;
      at += 1;
    }
    const message = `The row is longer than ${ROW_MAX_BYTES} bytes.`;
    yield at - start > ROW_MAX_BYTES ? { line: row.line, message } : row;
    at = afterLineEnd(bytes, at);
  }
}

/** The text that begins with the quotation mark at `at`, and where it ends; null where it does not end before `limit`. */
function quotedText(bytes: Buffer, at: number, limit: number) {
  let text = '';
  for (let from = at + 1; ; ) {
    const close = bytes.indexOf(QUOTE, from);
    if (close === -1 || close > limit) return null;
    text += bytes.toString('utf8', from, close);
    if (bytes[close + 1] !== QUOTE) {
      return { text, end: close + 1, lineEnds: text.match(/\r\n|\r|\n/g)?.length ?? 0 };
    }
    text += '"';
    from = close + 2;
  }
}

function refuseOtherEncodings(bytes: Buffer): void {
  const mark = bytes.subarray(0, 2).toString('hex');
  if (mark === 'fffe' || mark === 'feff') {
    throw refused(1, 'The file is UTF-16. Save it as "CSV UTF-8".');
  }
  if (isUtf8(bytes)) {
    const nul = bytes.indexOf(0);
    if (nul !== -1) throw refused(lineAt(bytes, nul), 'The line holds a NUL character. Remove it.');
    return;
  }
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const end = endOfLine(bytes, start);
    if (!isUtf8(bytes.subarray(start, end))) {
      throw refused(line, 'The line is not UTF-8. Save the file as "CSV UTF-8".');
    }
    start = afterLineEnd(bytes, end);
  }
}

function lineAt(bytes: Buffer, place: number): number {
  let line = 1;
  for (let end = endOfLine(bytes, 0); end < place; end = endOfLine(bytes, afterLineEnd(bytes, end))) line++;
  return line;
}

/** Where the line that begins at `start` ends: at its CRLF, LF or CR, or with the file. */
function endOfLine(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at++;
  return at;
}

const afterLineEnd = (bytes: Buffer, end: number): number =>
  end + (bytes[end] === CR && bytes[end + 1] === LF ? 2 : 1);

function delimiterOf(bytes: Buffer): number {
  const [first = ''] = bytes.toString('utf8', 0, ROW_MAX_BYTES).split(/[\r\n]/, 1);
  const found = DELIMITERS.map((delimiter) => ({ delimiter, count: first.split(delimiter).length }));
  return found.reduce((most, each) => (each.count > most.count ? each : most)).delimiter.charCodeAt(0);
}

function columnsOf({ line, cells: names }: Cells): string[] {
  for (const [place, name] of names.entries()) {
    if (!PLACEHOLDER_NAME.test(name)) {
      const message = `Column ${place + 1} needs a name: a letter, then up to 39 letters, digits or underscores.`;
      throw refused(line, message);
    }
    if (names.indexOf(name) !== place) throw refused(line, `The column \`${name}\` is there twice.`);
  }
  if (!ADDRESSES.some((name) => names.includes(name))) {
    const other = names.find((name) => ADDRESSES.includes(name.toLowerCase()));
    const hint = other === undefined ? 'Name one of the columns so' : `Write \`${other}\` in lower case`;
    throw refused(line, `There is no column \`phone\` or \`email\`. ${hint}.`);
  }
  return names;
}

function withNames({ line, cells }: Cells, columns: readonly string[]): GivenRow | BadRow {
  if (cells.length !== columns.length) {
    const [has, names] = [counted(cells.length, 'cell'), counted(columns.length, 'column')];
    const message = `The row has ${has}, but the first line names ${names}.`;
    return { line, message };
  }
  return {
    line,
    cells: new Map(columns.map((name, place) => [name, cells[place]!] as const).filter(([, cell]) => cell)),
  };
}

function refused(line: number, message: string): ValidationError {
  return new ValidationError(message, [{ path: `line ${line}`, message: `In line ${line}: ${message}` }]);
}
