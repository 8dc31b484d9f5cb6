import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import { ValidationError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { addressPolicy } from '../lib/internet-address.ts';
import { type TargetRules, targetRefusal } from '../lib/outbound-client.ts';

/** A resolver that says nothing for so long leaves the check to the connection, in ms. */
const LOOKUP_MAX_MS = 3_000;
/** Ports of other protocols (Fetch Standard, "bad port"), beside those below 1024. */
const PORTS_OF_OTHERS = [
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10080,
];
/** Names that no public resolver answers (RFC 6761, RFC 6762, RFC 8375, ICANN's `.internal`), and those without a dot. */
const PRIVATE_NAME = /^[^.]*\.?$|\.(localhost|local|internal|home\.arpa|test|invalid)\.?$/i;

/**
 * Reads the URL of an endpoint and refuses it where it certainly leads to an internal address, or has a user, a password
 * or the port of another protocol. Every refusal says the same, so that nothing is learnt about the network here. A name
 * that does not resolve passes: each connection is checked again.
 * @throws ValidationError
 */
export type ReadTarget = (url: string) => Promise<string>;

/** @param lookup looks up the addresses of a name; as `dns.lookup` */
export function targetReader(deps: { rules: TargetRules; lookup: LookupFunction; clock: Clock }): ReadTarget {
  const { rules, lookup, clock } = deps;
  const policy = addressPolicy(rules.allowedAddresses);

  /** The addresses of a name now; none when it has none or nobody says in time. */
  function addressesOf(name: string): Promise<string[]> {
    return new Promise((resolve) => {
      const timer = clock.setTimeout(() => resolve([]), LOOKUP_MAX_MS);
      lookup(name, { all: true }, (error, found) => {
        timer.cancel();
        const entries = error ? [] : [found].flat();
        resolve(entries.map((entry) => (typeof entry === 'string' ? entry : entry.address)));
      });
    });
  }

  async function isRefused(url: URL): Promise<boolean> {
    if (targetRefusal(url, rules) !== undefined) return true;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const addresses = isIP(host) === 0 ? await addressesOf(host) : [host];
    if (addresses.length === 0) return PRIVATE_NAME.test(host) || isPortOfOthers(url);
    if (addresses.every(policy.lists)) return false;
    const mayGo = url.protocol === 'http:' && rules.isProduction ? policy.lists : policy.allows;
    return !addresses.every(mayGo) || isPortOfOthers(url);
  }

  return async (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url && !(await isRefused(url))) {
      url.hash = '';
      return url.href;
    }
    const protocol = rules.isProduction ? 'an https' : 'an http or https';
    const message = `The value of \`url\` must be ${protocol} address on the public internet, without user and password and with a port for HTTP. An internal address must be listed in WEBHOOK_ALLOWED_ADDRESSES.`;
    throw new ValidationError(message, [{ path: 'url', message }]);
  };
}

function isPortOfOthers({ port }: URL): boolean {
  const number = Number(port);
  // The default port of the protocol is an empty text.
  return (
    port !== '' && ((number < 1024 && number !== 80 && number !== 443) || PORTS_OF_OTHERS.includes(number))
  );
}
