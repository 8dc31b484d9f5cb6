import { expect, test } from 'vitest';
import { isLoopback } from './loopback.ts';

test.each([
  'localhost',
  'LOCALHOST.',
  'wotp.localhost',
  '127.0.0.1',
  '127.255.0.9',
  '::1',
  '[::1]',
  '0:0:0:0:0:0:0:1',
  '[0000:0000::0001]',
  '::ffff:127.0.0.1',
  '::FFFF:7f00:1',
])('%s is this machine', (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each([
  '0.0.0.0',
  '::',
  '128.0.0.1',
  '::2',
  '::ffff:10.0.0.1',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'evil.example#.localhost',
  'evil.example/.localhost',
  'evil.example\\.localhost',
  'evil.example?.localhost',
  'evil.example%00.localhost',
  '',
])('%j is not', (host) => {
  expect(isLoopback(host)).toBe(false);
});
