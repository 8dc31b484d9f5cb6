import { describe, expect, test } from 'vitest';
import { ROW_MAX_BYTES, readCsv } from './csv.ts';
import { CsvFile } from './schemas.ts';

async function read(text: string | Buffer) {
  const rows = [];
  for (const row of readCsv(Buffer.from(text as string))) {
    rows.push('cells' in row ? { line: row.line, ...Object.fromEntries(row.cells) } : row);
  }
  return rows;
}

const refusal = (text: string | Buffer) =>
  read(text).then(
    () => undefined,
    (error) => error.details.errors[0],
  );

describe('a file as programs write it', () => {
  test.each([
    ['commas and LF', 'phone,name\n+6281,Ayu\n+6282,Budi\n'],
    ['CRLF', 'phone,name\r\n+6281,Ayu\r\n+6282,Budi\r\n'],
    ['CR', 'phone,name\r+6281,Ayu\r+6282,Budi\r'],
    ['a byte order mark', '\ufeffphone,name\n+6281,Ayu\n+6282,Budi\n'],
    ['semicolons, as Excel writes in many countries', 'phone;name\n+6281;Ayu\n+6282;Budi\n'],
    ['tabs', 'phone\tname\n+6281\tAyu\n+6282\tBudi\n'],
    ['no line end at its end', 'phone,name\n+6281,Ayu\n+6282,Budi'],
    ['quotes around every cell', '"phone","name"\n"+6281","Ayu"\n"+6282","Budi"\n'],
    ['blanks around cells', 'phone , name\n +6281 , Ayu \n+6282,Budi\n'],
  ])('is read: %s', async (_, text) => {
    expect(await read(text)).toEqual([
      { line: 2, phone: '+6281', name: 'Ayu' },
      { line: 3, phone: '+6282', name: 'Budi' },
    ]);
  });

  test('holds delimiters, quotes and line ends in quoted cells, and rows keep their lines', async () => {
    const text = 'phone,name\r\n+6281,"Ayu, ""A""\r\nSari"\r\n+6282,Budi\r\n';
    expect(await read(text)).toEqual([
      { line: 2, phone: '+6281', name: 'Ayu, "A"\r\nSari' },
      { line: 4, phone: '+6282', name: 'Budi' },
    ]);
  });

  test('has empty lines and rows without content, which are skipped', async () => {
    expect(await read('phone,name\n\n+6281,Ayu\n,\n\n+6282,Budi\n')).toEqual([
      { line: 3, phone: '+6281', name: 'Ayu' },
      { line: 6, phone: '+6282', name: 'Budi' },
    ]);
  });

  test('marks text as ="…", with its quotes doubled or not', async () => {
    expect(await read('phone,name\n="08123",a\n"=""08124""",b\n')).toEqual([
      { line: 2, phone: '08123', name: 'a' },
      { line: 3, phone: '08124', name: 'b' },
    ]);
  });

  test('holds a formula, which is text like any other', async () => {
    expect(await read('phone,name\n+6281,"=HYPERLINK(""http://x"")"\n')).toEqual([
      { line: 2, phone: '+6281', name: '=HYPERLINK("http://x")' },
    ]);
  });

  test('holds a quotation mark within a cell without quotes, which is text', async () => {
    expect(await read('phone,name\n+6281,Ayu "A" Sari\n')).toEqual([
      { line: 2, phone: '+6281', name: 'Ayu "A" Sari' },
    ]);
  });

  test('leaves a cell empty, and the row does not have it', async () => {
    expect(await read('phone,name\n+6281,\n')).toEqual([{ line: 2, phone: '+6281' }]);
  });
});

describe('a row that cannot be read is named by its line', () => {
  test('with another number of cells than the first line names', async () => {
    expect(await read('phone,name\n+6281,Ayu\n+6282\n+6283,Citra,x\n')).toEqual([
      { line: 2, phone: '+6281', name: 'Ayu' },
      { line: 3, message: 'The row has 1 cell, but the first line names 2 columns.' },
      { line: 4, message: 'The row has 3 cells, but the first line names 2 columns.' },
    ]);
  });

  test('with a quotation mark that is never closed', async () => {
    expect(await read('phone,name\n+6281,Ayu\n+6282,"Budi\n+6283,Citra\n')).toEqual([
      { line: 2, phone: '+6281', name: 'Ayu' },
      { line: 3, message: 'A quotation mark is not closed within 16384 bytes.' },
    ]);
  });

  test('that is too long, however long it is', async () => {
    const rows = await read(`phone,name\n+6281,Ayu\n+6282,${'x'.repeat(10_000_000)}\n+6283,Citra\n`);
    expect(rows).toEqual([
      { line: 2, phone: '+6281', name: 'Ayu' },
      { line: 3, message: expect.stringContaining(`longer than ${ROW_MAX_BYTES} bytes`) },
      { line: 4, phone: '+6283', name: 'Citra' },
    ]);
  });
});

describe('a file that cannot be read at all', () => {
  test('is not UTF-8: the first line that is not is named', async () => {
    const latin = Buffer.concat([Buffer.from('phone,name\n+6281,Ayu\n+6282,Jos'), Buffer.from([0xe9, 0x0a])]);
    expect(await refusal(latin)).toEqual({
      path: 'line 3',
      message: 'In line 3: The line is not UTF-8. Save the file as "CSV UTF-8".',
    });
  });

  test('has lines that end with CR, and in one of them bytes that are not UTF-8 or a NUL: that line is named', async () => {
    const latin = Buffer.concat([
      Buffer.from('phone,name\r+6281,Ayu\r\n+6282,Jos'),
      Buffer.from([0xe9, 0x0d]),
    ]);
    expect(await refusal(latin)).toMatchObject({ path: 'line 3' });
    expect(await refusal('phone\r+6281\r+62\0\r')).toMatchObject({ path: 'line 3' });
  });

  test('is UTF-16', async () => {
    const text = Buffer.from('\ufeffphone\n+6281\n', 'utf16le');
    expect(await refusal(text)).toMatchObject({ message: expect.stringContaining('UTF-16') });
  });

  test('holds NUL', async () => {
    expect(await refusal('phone\n+62\0\n')).toMatchObject({ path: 'line 2' });
  });

  test.each([
    ['twice the same name', 'phone,phone\n1,2\n', 'The column `phone` is there twice.'],
    ['a column without a name', 'phone,\n1,2\n', 'Column 2 needs a name'],
    ['a name that no variable can have', 'phone,full name\n1,2\n', 'Column 2 needs a name'],
    ['the name of a prototype', 'phone,__proto__\n1,2\n', 'Column 2 needs a name'],
    ['no column with addresses', 'name,code\na,1\n', 'There is no column `phone` or `email`.'],
    ['such a column in upper case', 'Phone,name\n1,a\n', 'Write `Phone` in lower case.'],
    ['nothing', '', 'The file is empty.'],
  ])('has %s in its first line', async (_, text, message) => {
    expect(await refusal(text)).toEqual({ path: 'line 1', message: expect.stringContaining(message) });
  });
});

test('two requests with the same file are the same request', () => {
  const [one, two] = [new CsvFile(Buffer.from('a')), new CsvFile(Buffer.from('a'))];
  expect(JSON.stringify(one)).toBe(JSON.stringify(two));
  expect(JSON.stringify(one)).not.toBe(JSON.stringify(new CsvFile(Buffer.from('b'))));
});
