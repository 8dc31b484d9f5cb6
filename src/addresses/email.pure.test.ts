import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WotpError } from '../errors/errors.ts';
import { EmailError, maskEmail, parseEmail, readEmail } from './email.ts';

function refusal(input: string): string {
  try {
    parseEmail(input);
  } catch (error) {
    expect(error).toBeInstanceOf(EmailError);
    return (error as EmailError).message;
  }
  return `read as ${parseEmail(input).address}`;
}

describe('an e-mail address', () => {
  test.each([
    ['jo@example.com', 'jo@example.com'],
    ['Jo.Smith+bank@Example.COM', 'Jo.Smith+bank@example.com'],
    ["o'neil_x=1{a}/b#c$d&e*f?g^h`i~j-k@mail.example.co.uk", undefined],
    ['1234567890@qq.com', undefined],
    ['a@b.co', undefined],
    ['  \u200bjo@example.com\u202c\r\n', 'jo@example.com'],
  ])('%j is read', (input, address = input) => {
    expect(parseEmail(input).address).toBe(address);
  });

  test.each([
    ['safe@jõgeva.ee', 'safe@xn--jgeva-dua.ee'],
    ['jo@BÜCHER.example', 'jo@xn--bcher-kva.example'],
    ['jo@عربي.قطر', 'jo@xn--ngbrx4e.xn--wgbl6a'],
    ['jo@xn--jgeva-dua.ee', 'jo@xn--jgeva-dua.ee'],
  ])('%j has its domain as A-labels', (input, address) => {
    expect(parseEmail(input).address).toBe(address);
  });

  test.each([
    ['', 'is empty'],
    ['jo', 'has no @'],
    ['@example.com', 'nothing before the @'],
    ['jo@', 'nothing after the @'],
    ['a@x.net\r\nRCPT TO:<x@y.zz>', 'more than one @'],
    ['a@x.net\r\nBcc: b', 'cannot contain the invisible character U+000D'],
    ['jo\n@example.com', 'cannot contain the invisible character U+000A'],
    ['jo\0@example.com', 'cannot contain the invisible character U+0000'],
    ['a@x.net, b@x.net', 'more than one @'],
    ['a@x.net,b', 'cannot contain “,”'],
    ['a;b@x.net', 'cannot contain “;”'],
    ['Jo Smith <jo@example.com>', 'cannot contain'],
    ['<jo@example.com>', 'cannot contain “<” (U+003C)'],
    ['"jo smith"@example.com', 'cannot contain “"”'],
    ['"jo@home"@example.com', 'more than one @'],
    ['jo(comment)@example.com', 'cannot contain “(”'],
    ['jo@example.com(comment)', 'cannot contain “(”'],
    ['jo\\@example.com', 'cannot contain “\\”'],
    ['victim%elsewhere.example@relay.example', 'cannot contain “%”'],
    ['elsewhere!victim@relay.example', 'cannot contain “!”'],
    ['|/bin/sh@example.com', 'cannot contain “|”'],
    ['@hop.example:jo@example.com', 'more than one @'],
    ['jo@[127.0.0.1]', 'not an IP address'],
    ['jo@127.0.0.1', 'cannot exist'],
    ['jo@0x7f.1', 'cannot exist'],
    ['jo@localhost', 'not complete'],
    ['jo@example.com.', 'cannot exist'],
    ['jo@.example.com', 'cannot exist'],
    ['jo@exa..mple.com', 'cannot exist'],
    ['jo@-example.com', 'cannot exist'],
    ['jo@exam_ple.com', 'cannot contain “_”'],
    ['jo@exam\u00adple.com', 'cannot contain the invisible character U+00AD'],
    ['jo@exa\u200bmple.com', 'cannot contain the invisible character U+200B'],
    ['jo@example。com', 'cannot contain “。”'],
    ['jo@xn--a.com', 'cannot exist'],
    ['.jo@example.com', 'dots may only be between'],
    ['jo.@example.com', 'dots may only be between'],
    ['j..o@example.com', 'dots may only be between'],
    ['用户@例え.jp', 'ASCII characters only, and not “用” (U+7528)'],
    ['jö@example.com', 'ASCII characters only'],
    ['jo\u200d@example.com', 'ASCII characters only, and not the invisible character U+200D'],
    [`${'a'.repeat(65)}@example.com`, 'at most 64'],
    [`jo@${'a'.repeat(64)}.com`, 'at most 254'],
    [`jo@${'a.'.repeat(126)}com`, 'at most 254'],
    ['a'.repeat(100_000), 'at most 254'],
  ])('%j is refused, with the reason', (input, reason) => {
    expect(refusal(input)).toContain(reason);
  });

  test('may have 64 characters before the @ and 254 in all', () => {
    const mailbox = 'a'.repeat(64);
    const domain = `${'d'.repeat(63)}.${'d'.repeat(63)}.${'d'.repeat(57)}.com`;
    const longest = `${mailbox}@${domain}`;
    expect(longest).toHaveLength(254);
    expect(parseEmail(longest).address).toBe(longest);
    expect(refusal(`${mailbox}@d${domain}`)).toContain('at most 254');
  });

  test('refused by a route is EMAIL_INVALID with the field', () => {
    const refused = () => readEmail('jo', 'recipients.0.email');
    expect(refused).toThrow(WotpError);
    try {
      refused();
    } catch (error) {
      expect(error).toMatchObject({
        code: 'EMAIL_INVALID',
        status: 400,
        details: { errors: [{ path: 'recipients.0.email', message: expect.stringContaining('has no @') }] },
      });
    }
    expect(readEmail('jo@example.com').address).toBe('jo@example.com');
  });
});

describe('the identity of an address', () => {
  test('is the same whatever the case, and keeps tags and dots', () => {
    expect(parseEmail('Jo.Smith+Bank@Gmail.COM').identity).toBe('jo.smith+bank@gmail.com');
    expect(parseEmail('JO@BÜCHER.example').identity).toBe(parseEmail('jo@xn--bcher-kva.example').identity);
  });
});

describe('the key for limits', () => {
  test.each([
    ['Jo.Smith+x@googlemail.com', 'josmith@gmail.com'],
    ['jo.smith@gmail.com', 'josmith@gmail.com'],
    ['jo.smith+x@example.com', 'jo.smith@example.com'],
    ['jo-x@yahoo.co.uk', 'jo@yahoo.co.uk'],
    ['jo-x@example.com', 'jo-x@example.com'],
    ['+jo@example.com', '+jo@example.com'],
  ])('of %s is %s', (input, key) => {
    expect(parseEmail(input).limitKey).toBe(key);
  });
});

describe('a masked address', () => {
  test('shows its first character and its domain', () => {
    expect(maskEmail('jo.smith@example.com')).toBe('j***@example.com');
    expect(maskEmail('@x')).toBe('***@x');
    expect(maskEmail('nothing')).toBe('***');
  });
});

describe('whatever is given', () => {
  const characters = fc.string({
    unit: fc.oneof(
      fc.constantFrom(...'@.+-_ab1"(<>,;:\r\n\0 %!'),
      fc.string({ minLength: 1, maxLength: 1, unit: 'grapheme' }),
    ),
    maxLength: 80,
  });
  const ADDRESS = /^[a-z0-9#$&'*+/=?^_`{}~.-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i;

  test('is one plain address or an EmailError', () => {
    fc.assert(
      fc.property(fc.oneof(characters, fc.emailAddress()), (input) => {
        try {
          const { address, identity, limitKey } = parseEmail(input);
          expect(address).toMatch(ADDRESS);
          expect(address.length).toBeLessThanOrEqual(254);
          expect(parseEmail(address)).toEqual({ address, identity, limitKey });
          expect(parseEmail(identity).identity).toBe(identity);
          expect(parseEmail(limitKey).limitKey).toBe(limitKey);
        } catch (error) {
          expect(error).toBeInstanceOf(EmailError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('what is read in ASCII is what was written, but for the case of its domain', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (input) => {
        let address: string;
        try {
          ({ address } = parseEmail(input));
        } catch {
          return;
        }
        const at = input.indexOf('@');
        expect(address).toBe(input.slice(0, at) + input.slice(at).toLowerCase());
      }),
      { numRuns: 1_000 },
    );
  });
});
