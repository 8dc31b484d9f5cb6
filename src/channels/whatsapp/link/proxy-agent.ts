import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';

/** How long a proxy may take to let a connection through, in ms. */
const TUNNEL_MAX_MS = 15_000;
const DEFAULT_PORTS: Record<string, number> = {
  'http:': 80,
  'https:': 443,
  'socks5:': 1080,
  'socks5h:': 1080,
};
/** Bytes that a name and a password may each have for SOCKS5 (RFC 1929). */
const CREDENTIAL_MAX_BYTES = 255;

/** What is wrong with this as the address of a proxy, as a request; undefined when it can be used. */
export function proxyProblem(text: string): string | undefined {
  const form =
    'The value of `proxy` must be written as http://, https://, socks5:// or socks5h://, then its host and port.';
  const percent =
    'In the name and password of `proxy`, write % as %25, @ as %40, : as %3A, / as %2F, ? as %3F, # as %23.';
  if (!URL.canParse(text)) return `${form} ${percent}`;
  const url = new URL(text);
  if (!(url.protocol in DEFAULT_PORTS) || url.hostname === '') {
    return form;
  }
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
    return `The address in \`proxy\` ends with its port. ${percent}`;
  }
  try {
    const tooLong = Object.values(credentialsOf(url)).some(
      (one) => Buffer.byteLength(one) > CREDENTIAL_MAX_BYTES,
    );
    return tooLong
      ? `The name and the password in \`proxy\` may have ${CREDENTIAL_MAX_BYTES} bytes each.`
      : undefined;
  } catch {
    return percent;
  }
}

/** Throws a URIError where a percent sign begins nothing. */
function credentialsOf({ username, password }: URL): { name: string; password: string } {
  return { name: decodeURIComponent(username), password: decodeURIComponent(password) };
}

/** A proxy's address as it may be shown. */
export function withoutPassword(address: string): string {
  const url = new URL(address);
  if (url.password !== '') url.password = '***';
  return url.href.replace(/\/$/, '');
}

/** What Node asks an agent for. */
interface Target {
  host: string;
  port: number;
  servername?: string;
}

type Connected = (error: Error | null, socket?: Duplex) => void;

/**
 * An agent whose connections go through a proxy: `http:` and `https:` by CONNECT (RFC 9110), `socks5:` by RFC 1928
 * with a name and password (RFC 1929) when the address has them. The proxy looks up the host's name in any case, which
 * `socks5h:` says elsewhere.
 * @param isSecure whether what is at the other end speaks TLS
 */
export function proxyAgent(address: string, isSecure: boolean): HttpsAgent {
  const proxy = new URL(address);
  const agent = isSecure ? new HttpsAgent() : new HttpAgent();
  const createConnection = (target: Target, connected: Connected) => {
    tunnel(proxy, target).then(
      (socket) => {
        if (!isSecure) connected(null, socket);
        else connected(null, connectTls({ socket, servername: target.servername ?? target.host }));
      },
      (error: Error) => connected(error),
    );
  };
  return Object.assign(agent, { createConnection }) as HttpsAgent;
}

async function tunnel(proxy: URL, target: Target): Promise<Socket> {
  return proxy.protocol.startsWith('socks5') ? socksTunnel(proxy, target) : connectTunnel(proxy, target);
}

function hostOf(proxy: URL): { host: string; port: number } {
  const host = proxy.hostname.replace(/^\[|\]$/g, '');
  return { host, port: proxy.port === '' ? DEFAULT_PORTS[proxy.protocol]! : Number(proxy.port) };
}

function connectTunnel(proxy: URL, { host, port }: Target): Promise<Socket> {
  const path = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const { name, password } = credentialsOf(proxy);
  const user = `${name}:${password}`;
  const headers: Record<string, string> = { host: path };
  if (user !== ':') headers['proxy-authorization'] = `Basic ${Buffer.from(user).toString('base64')}`;
  const request = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const call = request({ ...hostOf(proxy), method: 'CONNECT', path, headers, agent: false });
    call.setTimeout(TUNNEL_MAX_MS, () => call.destroy(new Error('The proxy did not answer in time.')));
    call.on('error', reject);
    call.on('connect', ({ statusCode }, socket) => {
      socket.setTimeout(0);
      if (statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`The proxy refused the connection (HTTP ${statusCode}).`));
    });
    // A proxy that answers like a web server is none.
    call.on('response', ({ statusCode }) => {
      call.destroy(new Error(`The proxy refused the connection (HTTP ${statusCode}).`));
    });
    call.end();
  });
}

const SOCKS = 5;
const NO_AUTHENTICATION = 0;
const PASSWORD = 2;
const CONNECT = 1;
const DOMAIN_NAME = 3;
/** Bytes of the address that a proxy tells after each type: IPv4, and IPv6. */
const BOUND_BYTES: Record<number, number> = { 1: 4, 4: 16 };

async function socksTunnel(proxy: URL, { host, port }: Target): Promise<Socket> {
  const socket = connectTcp(hostOf(proxy));
  socket.setTimeout(TUNNEL_MAX_MS, () => socket.destroy(new Error('The proxy did not answer in time.')));
  const read = reader(socket);
  try {
    const credentials = credentialsOf(proxy);
    const name = Buffer.from(credentials.name);
    const password = Buffer.from(credentials.password);
    const method = name.length > 0 ? PASSWORD : NO_AUTHENTICATION;
    socket.write(Buffer.from([SOCKS, 1, method]));
    const [, chosen] = await read(2);
    if (chosen !== method) throw new Error('The proxy requires another authentication method.');
    if (method === PASSWORD) {
      socket.write(Buffer.from([1, name.length, ...name, password.length, ...password]));
      const [, refused] = await read(2);
      if (refused !== 0) throw new Error('The proxy refused the user name or password.');
    }
    const domain = Buffer.from(host);
    const portBytes = [port >> 8, port & 0xff];
    socket.write(Buffer.from([SOCKS, CONNECT, 0, DOMAIN_NAME, domain.length, ...domain, ...portBytes]));
    const [, failure, , type] = await read(4);
    if (failure !== 0) throw new Error(`The proxy could not connect (SOCKS reply ${failure}).`);
    await read((BOUND_BYTES[type!] ?? (await read(1))[0]!) + 2);
    socket.setTimeout(0);
    read.end();
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Reads so many bytes at a time; what comes after `end` stays in the socket for its next user. */
function reader(socket: Socket) {
  let failure: Error | undefined;
  let wake = () => {};
  const onReadable = () => wake();
  const onError = (error: Error) => {
    failure = error;
    wake();
  };
  const onEnd = () => onError(new Error('The proxy closed the connection.'));
  socket.on('readable', onReadable).on('error', onError).on('close', onEnd).on('end', onEnd);

  const read = async (size: number): Promise<Buffer> => {
    for (;;) {
      const bytes = socket.read(size) as Buffer | null;
      if (bytes !== null) return bytes;
      if (failure) throw failure;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return Object.assign(read, {
    end() {
      socket.off('readable', onReadable).off('error', onError).off('close', onEnd).off('end', onEnd);
    },
  });
}
