import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressIdentity, withoutPort } from './client-address.ts';

const group = fc.integer({ min: 0, max: 0xffff });
const groups = fc.array(group, { minLength: 8, maxLength: 8 });
const hex = (value: number) => value.toString(16);

describe('a client address, as limits count it', () => {
  test('an IPv4 address is itself', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(addressIdentity(address)).toBe(address);
      }),
    );
  });

  test.each([
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
    ['0000:0000:0000:0000:0000:ffff:cb00:7107', '203.0.113.7'],
    ['::ffff:0.0.0.0', '0.0.0.0'],
    ['::ffff:255.255.255.255', '255.255.255.255'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:DB8:0:0:ffff:ffff:ffff:ffff', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5:6:203.0.113.7', '1:2:3:4::/64'],
  ])('%s is %s', (address, identity) => {
    expect(addressIdentity(address)).toBe(identity);
  });

  test.each([
    ['203.0.113.7:4001', '203.0.113.7'],
    ['203.0.113.7:0', '203.0.113.7'],
    ['[2001:db8::1]:4001', '2001:db8:0:0::/64'],
    ['[2001:db8::1]', '2001:db8:0:0::/64'],
    ['[::ffff:203.0.113.7]:65535', '203.0.113.7'],
    ['[fe80::1%eth0]:4001', 'fe80:0:0:0::/64'],
  ])('%s, as a proxy may write it, is %s', (address, identity) => {
    expect(addressIdentity(address)).toBe(identity);
  });

  test('all that is no address is the same', () => {
    const none = ['', 'unix:', 'localhost', '203.0.113', '2001:db8::1::2', '1.2.3.4.5'];
    const nearly = ['localhost:80', '203.0.113.7:', '203.0.113.7:x', '[203.0.113', '[]:1', '_hidden', ':1'];
    for (const text of [...none, ...nearly]) expect(addressIdentity(text), text).toBe('unknown');
  });

  test('every address of one /64 is the same, those of two are not', () => {
    fc.assert(
      fc.property(groups, groups, (a, b) => {
        // Mapped addresses are IPv4 ones.
        fc.pre(a.slice(0, 4).some((value) => value !== 0));
        const address = (head: number[], tail: number[]) =>
          [...head.slice(0, 4), ...tail.slice(4)].map(hex).join(':');
        expect(addressIdentity(address(a, b))).toBe(addressIdentity(address(a, a)));
        const sameNetwork = a.slice(0, 4).join() === b.slice(0, 4).join();
        expect(addressIdentity(address(b, b)) === addressIdentity(address(a, a))).toBe(sameNetwork);
      }),
    );
  });

  test('is the same in every spelling', () => {
    fc.assert(
      fc.property(
        groups,
        fc.integer({ min: 0, max: 7 }),
        fc.integer({ min: 1, max: 8 }),
        (whole, at, length) => {
          const zeroed = whole.map((value, i) => (i >= at && i < at + length ? 0 : value));
          const plain = zeroed.map(hex).join(':');
          const padded = zeroed.map((value) => hex(value).padStart(4, '0')).join(':');
          const [before, after] = [zeroed.slice(0, at), zeroed.slice(at + length)];
          const short = `${before.map(hex).join(':')}::${after.map(hex).join(':')}`;
          const dotted = `${zeroed.slice(0, 6).map(hex).join(':')}:${zeroed
            .slice(6)
            .flatMap((value) => [value >> 8, value & 255])
            .join('.')}`;
          const identities = [plain, padded, plain.toUpperCase(), short, dotted].map(addressIdentity);
          expect(new Set(identities).size).toBe(1);
        },
      ),
    );
  });
});

test('a client address is shown without a port, and else as it came', () => {
  expect(withoutPort('203.0.113.7:4001')).toBe('203.0.113.7');
  expect(withoutPort('[2001:db8::1]:4001')).toBe('2001:db8::1');
  for (const address of ['203.0.113.7', '2001:db8::1', '::ffff:203.0.113.7', 'localhost', '']) {
    expect(withoutPort(address)).toBe(address);
  }
});
