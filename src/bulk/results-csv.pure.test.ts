import { expect, test } from 'vitest';
import { RESULTS_HEADER, resultLine } from './results-csv.ts';

const result = {
  line: 2,
  phone: '+6283834946034',
  email: null,
  status: 'failed',
  reason: null,
  messageId: 'msg_1',
  verificationId: null,
};

test('a result is a line of CSV, whose phone a spreadsheet takes for text', () => {
  expect(RESULTS_HEADER).toBe('phone,status,reason,messageId,verificationId,email,line\r\n');
  expect(resultLine(result)).toBe("'+6283834946034,failed,,msg_1,,,2\r\n");
});

test.each(['=1+1', '+1', '-1', '@x', '\tx', '\rx', '\0x'])('no cell begins as a formula: %j', (reason) => {
  expect(resultLine({ ...result, reason })).toMatch(/^'\+6283834946034,failed,"?'/);
});

test('quotes, commas and line ends are quoted', () => {
  expect(resultLine({ ...result, reason: 'a "b", c\nd' })).toContain(',"a ""b"", c\nd",');
});
