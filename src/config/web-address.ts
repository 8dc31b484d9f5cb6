import { isIP } from 'node:net';
import { type Declaration, list, type Variable } from './variable.ts';

/** An http or https address without a user, a path, a query or a fragment; kept without a slash at its end. */
export function webAddress(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed:
      'an http or https address such as https://otp.example.com, without user, path, query or fragment',
    fallback: undefined,
    secret: false,
    parse(given) {
      const url = parseWebAddress(given);
      return url?.pathname === '/' ? url.origin : undefined;
    },
  };
}

/** Origins as a browser sends them: scheme, host and port, and no wildcard. */
export function origins(declaration: Declaration): Variable<string[]> {
  return list({
    ...declaration,
    allowed: 'origins such as https://app.example.com, separated by commas; never * or null',
    parseEntry(entry) {
      const url = parseWebAddress(entry);
      return url?.pathname === '/' && !url.host.includes('*') ? url.origin : undefined;
    },
  });
}

/** An address of this machine to listen on, or a name that stands for one. */
export function host(declaration: Declaration & { fallback: string }): Variable<string> {
  return {
    defaultText: declaration.fallback,
    ...declaration,
    allowed: 'an IP address (IPv6 without brackets) or a host name',
    secret: false,
    parse(given) {
      const name = given.trim();
      return isIP(name) !== 0 || isHostName(name) ? name : undefined;
    },
  };
}

function parseWebAddress(given: string): URL | undefined {
  const text = given.trim();
  if (!URL.canParse(text) || /[?#\s]/.test(text)) return undefined;
  const url = new URL(text);
  const hasUser = url.username !== '' || url.password !== '' || text.includes('@');
  return ['http:', 'https:'].includes(url.protocol) && !hasUser ? url : undefined;
}

function isHostName(name: string): boolean {
  const labels = name.split('.');
  const isBrokenIp = /^[\d.]+$/.test(name);
  return !isBrokenIp && name.length <= 253 && labels.every((label) => /^[a-z\d_-]{1,63}$/i.test(label));
}
