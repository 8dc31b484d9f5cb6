import { BlockList, isIP, isIPv4 } from 'node:net';

/** IPv4 blocks that are not the public internet (IANA special-purpose registry), and a metadata service outside them. */
const INTERNAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** The only IPv6 block with public addresses (RFC 4291); mapped, translated and private forms are outside of it. */
const PUBLIC_IPV6 = ['2000::/3'];
/** Blocks in it that are not public: protocol assignments with Teredo and ORCHID, documentation, 6to4, the 6bone. */
const INTERNAL_IPV6 = [
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3ffe::/16',
  '3fff::/20',
  '2620:4f:8000::/48',
];

const internalIpv4 = blockList(INTERNAL_IPV4);
const publicIpv6 = blockList(PUBLIC_IPV6);
const internalIpv6 = blockList(INTERNAL_IPV6);

/** An address of the network layer, judged by what the operator has listed and by what is public. */
export interface AddressPolicy {
  /** Whether a connection may go there: a public address, or a listed one. False for what is not an IP address. */
  allows(address: string): boolean;
  /** Whether the operator has listed the address. */
  lists(address: string): boolean;
}

/**
 * Which IP addresses a request to a target that others have chosen may reach.
 * @param listed exceptions: IP addresses and CIDR blocks, as `isAddressOrBlock` takes them
 */
export function addressPolicy(listed: readonly string[]): AddressPolicy {
  const exceptions = blockList(listed);
  const lists = (address: string) => contains(exceptions, address);
  return { lists, allows: (address) => lists(address) || isPublic(address) };
}

/** Whether a text is an IP address or a CIDR block, such as 10.0.0.0/8 or fd00::/8. */
export function isAddressOrBlock(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  if (rest.length > 0 || isIP(address) === 0 || address.includes('%')) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv4(address) ? 32 : 128));
}

function isPublic(address: string): boolean {
  // One with a zone is of a link by its form.
  if (isIP(address) === 0 || address.includes('%')) return false;
  return isIPv4(address)
    ? !contains(internalIpv4, address)
    : contains(publicIpv6, address) && !contains(internalIpv6, address);
}

function contains(blocks: BlockList, address: string): boolean {
  if (isIP(address) === 0 || address.includes('%')) return false;
  return blocks.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

function blockList(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [address = '', bits] = block.split('/');
    const version = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, version);
    else list.addSubnet(address, Number(bits), version);
  }
  return list;
}
