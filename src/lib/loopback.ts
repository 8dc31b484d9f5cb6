import { isIPv4 } from 'node:net';

/** Whether a host name or address, as it stands in a URL, always means this machine: RFC 6761 and RFC 5735. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return name === '::1' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}
