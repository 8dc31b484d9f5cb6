import { BlockList, isIP } from 'node:net';

/** In IPv6, where one address has many spellings; IPv4-mapped ones are looked up as IPv4. */
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a host, a name or an address with or without brackets, is this machine and no other (RFC 5735, RFC 6761). */
export function isLoopback(host: string): boolean {
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  const address = bracketed ?? host;
  const version = isIP(address);
  // 127.0.0.0/8, told without the list, which makes an object for each address that it is asked about.
  if (version === 4) return address.startsWith('127.');
  if (version === 6) return LOOPBACK.check(address, 'ipv6');
  return bracketed === undefined && /^(?:[a-z0-9.-]+\.)?localhost\.?$/i.test(host);
}
