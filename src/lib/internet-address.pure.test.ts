import { expect, test } from 'vitest';
import { addressPolicy, isAddressOrBlock } from './internet-address.ts';

const policy = addressPolicy([]);

test.each([
  '8.8.8.8',
  '1.1.1.1',
  '172.15.255.255',
  '172.32.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:831::200e',
  '2001:4860:4860::8888',
])('%s is public', (address) => {
  expect(policy.allows(address)).toBe(true);
  expect(policy.lists(address)).toBe(false);
});

test.each([
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'this network'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['10.1.2.3', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.100.100.200', 'metadata of Alibaba Cloud'],
  ['169.254.169.254', 'link-local, metadata'],
  ['168.63.129.16', 'metadata of Azure'],
  ['192.0.0.192', 'protocol assignments, metadata of Oracle Cloud'],
  ['192.0.2.1', 'documentation'],
  ['198.51.100.7', 'documentation'],
  ['203.0.113.9', 'documentation'],
  ['198.18.0.1', 'benchmarks'],
  ['192.88.99.1', '6to4 relay'],
  ['224.0.0.1', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::127.0.0.1', 'IPv4-compatible'],
  ['::7f00:1', 'IPv4-compatible'],
  ['::ffff:127.0.0.1', 'IPv4-mapped'],
  ['::ffff:7f00:1', 'IPv4-mapped'],
  ['::ffff:8.8.8.8', 'IPv4-mapped, of a public address too'],
  ['::ffff:0:127.0.0.1', 'IPv4-translated'],
  ['64:ff9b::7f00:1', 'NAT64'],
  ['64:ff9b:1::1', 'NAT64 of a site'],
  ['2002:7f00:1::', '6to4'],
  ['2001:0:4136:e378::', 'Teredo'],
  ['2001:10::1', 'ORCHID'],
  ['2001:20::1', 'ORCHIDv2'],
  ['2001:db8::1', 'documentation'],
  ['3fff::1', 'documentation'],
  ['3ffe::1', '6bone'],
  ['100::1', 'discard'],
  ['4000::1', 'not allocated'],
  ['fc00::1', 'unique local'],
  ['fd00:ec2::254', 'metadata of AWS'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'with a zone'],
  ['2606:4700:4700::1111%eth0', 'with a zone'],
  ['fec0::1', 'site-local'],
  ['ff02::1', 'multicast'],
  ['localhost', 'no IP address'],
  ['0x7f.1', 'no IP address'],
  ['', 'nothing'],
])('%s is not: %s', (address) => {
  expect(policy.allows(address)).toBe(false);
});

test('listed addresses and blocks are allowed, however IPv6 is written, and their neighbors are not', () => {
  const listed = addressPolicy(['10.1.2.3', '192.168.0.0/24', '::1', 'fd00:1::/32']);
  for (const address of ['10.1.2.3', '192.168.0.255', '::1', '0:0:0:0:0:0:0:1', 'fd00:1:2::3']) {
    expect(listed.allows(address), address).toBe(true);
    expect(listed.lists(address), address).toBe(true);
  }
  for (const address of ['10.1.2.4', '192.168.1.0', '::2', 'fd00:2::', 'fd00:1::1%eth0']) {
    expect(listed.allows(address), address).toBe(false);
  }
});

test('what can be listed is an IP address or a block', () => {
  for (const good of ['127.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '::1', 'fd00::/8', '::/128']) {
    expect(isAddressOrBlock(good), good).toBe(true);
  }
  const bad = [
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0/8',
    '::/129',
    '10.0.0.0/8/8',
    '1.2.3.4:80',
    'fe80::1%0',
  ];
  for (const each of bad) expect(isAddressOrBlock(each), each).toBe(false);
});
