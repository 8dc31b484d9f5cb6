import { isLoopback } from '../lib/loopback.ts';
import type { Declaration, Variable } from './variable.ts';

/** The mail server that takes our mail, as `SMTP_URL` names it. */
export interface SmtpServer {
  /** A name or an IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** `implicit`: TLS from the first byte. `starttls`: required before anything is said. `off`: none. */
  readonly tls: 'implicit' | 'starttls' | 'off';
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** A PEM file with the certificates to trust in place of the system's. */
  readonly caFile: string | undefined;
  /** Connections at the same time. */
  readonly connections: number;
}

const PORTS = { 'smtp:': 587, 'smtps:': 465 } as const;
const CONNECTIONS = 5;
const CONNECTIONS_MAX = 50;
const PARAMETERS = ['tls', 'ca', 'connections'];

/**
 * An smtp or smtps address. smtp requires STARTTLS, except to this machine; `tls=off` says otherwise. The parameters of
 * the mail library are not taken: some of them would log codes, or accept any certificate.
 */
export function smtpServer(declaration: Declaration): Variable<SmtpServer | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed:
      'smtp://user:password@host:587 (STARTTLS required, except to this machine) or smtps://user:password@host:465, with user and password percent-encoded; parameters: tls=off for smtp without encryption, ca=FILE for certificates of your own (PEM), connections=1 to 50',
    fallback: undefined,
    secret: true,
    parse: parseSmtpServer,
  };
}

function parseSmtpServer(given: string): SmtpServer | undefined {
  const text = given.trim();
  if (!URL.canParse(text) || /[\s#]/.test(text)) return undefined;
  const { protocol, hostname, port, pathname, username, password, searchParams } = new URL(text);
  const names = [...searchParams.keys()];
  const isRegular =
    (protocol === 'smtp:' || protocol === 'smtps:') &&
    hostname !== '' &&
    port !== '0' &&
    (pathname === '' || pathname === '/') &&
    (password === '' || username !== '') &&
    names.every((name) => PARAMETERS.includes(name)) &&
    new Set(names).size === names.length;
  if (!isRegular) return undefined;
  const user = decoded(username);
  const secret = decoded(password);
  const host = decoded(hostname)?.replace(/^\[(.*)\]$/, '$1');
  const tls = tlsOf(protocol, hostname, searchParams.get('tls'));
  const caFile = searchParams.get('ca');
  const connections = Number(searchParams.get('connections') ?? CONNECTIONS);
  const isWhole = Number.isInteger(connections) && connections >= 1 && connections <= CONNECTIONS_MAX;
  if (user === undefined || secret === undefined || !host || !tls || caFile === '' || !isWhole)
    return undefined;
  return {
    host,
    port: port === '' ? PORTS[protocol] : Number(port),
    tls,
    user: user === '' ? undefined : user,
    password: secret === '' ? undefined : secret,
    caFile: caFile ?? undefined,
    connections,
  };
}

function tlsOf(
  protocol: 'smtp:' | 'smtps:',
  host: string,
  asked: string | null,
): SmtpServer['tls'] | undefined {
  if (protocol === 'smtps:') return asked === null || asked === 'required' ? 'implicit' : undefined;
  if (asked === null) return isLoopback(host) ? 'off' : 'starttls';
  if (asked === 'required') return 'starttls';
  return asked === 'off' ? 'off' : undefined;
}

/** The text behind percent-encoding; undefined where that is broken, or hides what would break a line. */
function decoded(text: string): string | undefined {
  try {
    const plain = decodeURIComponent(text);
    return /\p{Cc}/u.test(plain) ? undefined : plain;
  } catch {
    return undefined;
  }
}
