import { describe, expect, test } from 'vitest';
import { COMMANDS, helpText, readCommandLine } from './command-line.ts';

describe('a command line', () => {
  test.each([
    ['|ping', { name: 'ping', args: [] }],
    ['  | PING  ', { name: 'ping', args: [] }],
    ['|sendotp +6281234566034', { name: 'sendotp', args: ['+6281234566034'] }],
    ['|sendotp +62 812-3456 6034 login', { name: 'sendotp', args: ['+62 812-3456 6034', 'login'] }],
    [
      '|sendotp \u202a+62 812\u20113456\u00a0٦٠٣٤\u202c',
      { name: 'sendotp', args: ['\u202a+62 812\u20113456 ٦٠٣٤\u202c'] },
    ],
    ['|verifyotp +6281234566034 123456', { name: 'verifyotp', args: ['+6281234566034', '123456'] }],
    [
      '|verifyotp 6281234566034 123456 login',
      { name: 'verifyotp', args: ['6281234566034', '123456', 'login'] },
    ],
    ['|searchotp (0812) 3456 6034', { name: 'searchotp', args: ['(0812) 3456 6034'] }],
  ])('%s is understood', (text, command) => {
    expect(readCommandLine(text)).toEqual(command);
  });

  test('begins with the prefix; everything else is none', () => {
    for (const text of ['', 'ping', 'hello | ping', '/ping']) expect(readCommandLine(text)).toBeUndefined();
  });

  test('that is wrong says how it is written, and repeats nothing that was typed', () => {
    expect(readCommandLine('|verifyotp +6281234566034')).toEqual({
      name: undefined,
      problem: 'Write it like this: |verifyotp PHONE CODE [PURPOSE]',
    });
    expect(readCommandLine('|ping me')).toEqual({ name: undefined, problem: 'Write it like this: |ping' });
    for (const text of ['|123456', '|', '|constructor', '|toString']) {
      expect(readCommandLine(text)).toEqual({
        name: undefined,
        problem: 'Unknown command. Write |help for the list.',
      });
    }
  });

  test('help names every command', () => {
    for (const name of Object.keys(COMMANDS)) expect(helpText()).toContain(`|${name}`);
  });
});
