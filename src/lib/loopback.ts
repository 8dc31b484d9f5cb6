import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
// IPv4-mapped addresses are looked up as IPv4.
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a host, a name or an address with or without brackets, is this machine and no other (RFC 5735, RFC 6761). */
export function isLoopback(host: string): boolean {
  const bracketed = /^\[(.*)\]$/.exec(host)?.[1];
  const address = bracketed ?? host;
  const version = isIP(address);
  if (version !== 0) return LOOPBACK.check(address, version === 4 ? 'ipv4' : 'ipv6');
  return bracketed === undefined && /^(?:[a-z0-9.-]+\.)?localhost\.?$/i.test(host);
}
