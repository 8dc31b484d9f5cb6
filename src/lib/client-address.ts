import { isIPv4, isIPv6 } from 'node:net';

/** What all addresses that are none count as together, so that nobody gets a counter by making one up. */
export const UNKNOWN_ADDRESS = 'unknown';

/** A client address without the port that some proxies write behind it: `203.0.113.7:4001`, `[2001:db8::1]:4001`. */
export function withoutPort(address: string): string {
  if (!/[:[]/.test(address)) return address;
  const [, bracketed, plain] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(address) ?? [];
  return bracketed ?? plain ?? address;
}

/**
 * A client address as limits count it: without a port, IPv4 as it is, IPv4-mapped IPv6 as IPv4, IPv6 by its /64,
 * since one subscriber usually has at least that much. What is no address is `unknown`.
 */
export function addressIdentity(address: string): string {
  if (isIPv4(address)) return address;
  const bare = withoutPort(address).split('%')[0]!.toLowerCase();
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return UNKNOWN_ADDRESS;
  const groups = expandIPv6(bare);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The /48 of an IPv6 client, of which only the /64 is known (`addressIdentity`); undefined for any other. */
export function networkOf(identity: string): string | undefined {
  if (!identity.endsWith('::/64')) return undefined;
  return `${identity.split(':').slice(0, 3).join(':')}::/48`;
}

/** The eight 16-bit groups of a valid IPv6 address. */
function expandIPv6(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const plain = dotted
    ? `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`
    : address;
  const [head = '', tail] = plain.split('::');
  const parse = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const before = parse(head);
  if (tail === undefined) return before;
  const after = parse(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}
