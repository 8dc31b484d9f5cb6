import { connect, type Socket } from 'node:net';
import type { Answer } from './test-app.ts';

/** A connection on which a test writes whatever bytes it likes. */
export interface RawConnection {
  write(bytes: string | Buffer): void;
  /** Says that nothing more will come, without closing the way back. */
  end(): void;
  /** The first answer, as soon as it is complete. */
  answer(): Promise<Answer>;
  /** Everything that came, once the server has closed the connection. */
  closed(): Promise<string>;
  destroy(): void;
}

/** Opens a connection to a server; nothing is sent yet. */
export async function openRaw(address: string): Promise<RawConnection> {
  const { hostname, port } = new URL(address);
  const socket: Socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  const watchers = new Set<() => void>();
  let isClosed = false;
  const changed = () => {
    for (const watch of watchers) watch();
  };
  const text = () => Buffer.concat(chunks).toString('utf8');
  const until = <T>(read: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const watch = () => {
        const value = read();
        if (value === undefined && !isClosed) return;
        watchers.delete(watch);
        if (value === undefined) reject(new Error(`The connection was closed after: ${text()}`));
        else resolve(value);
      };
      watchers.add(watch);
      watch();
    });

  socket.on('data', (chunk) => {
    chunks.push(chunk);
    changed();
  });
  // A server that refuses may close while we still write; what it has said before counts.
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
    changed();
  });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return {
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    answer: () => until(() => parseAnswer(Buffer.concat(chunks), isClosed)),
    closed: () => until(() => (isClosed ? text() : undefined)),
    destroy: () => void socket.destroy(),
  };
}

/** Sends the bytes of one request over a connection of its own and reads the answer. */
export async function sendRaw(address: string, ...bytes: (string | Buffer)[]): Promise<Answer> {
  const connection = await openRaw(address);
  for (const part of bytes) connection.write(part);
  try {
    return await connection.answer();
  } finally {
    connection.destroy();
  }
}

/** Sends requests in one packet on a connection of its own, and reads the statuses of all answers, which come in order. */
export async function sendPacket(address: string, requests: readonly string[]): Promise<number[]> {
  const connection = await openRaw(address);
  connection.write([...requests, requestText('GET /api/v1/health/live', ['Connection: close'])].join(''));
  const answers = (await connection.closed()).matchAll(/HTTP\/1\.1 (\d{3})/g);
  return [...answers].slice(0, requests.length).map(([, status]) => Number(status));
}

/** The text of a request: its first line, its headers and its body, with the length of the body counted. */
export function requestText(firstLine: string, headers: readonly string[], body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return [`${firstLine} HTTP/1.1`, 'Host: localhost', ...headers, ...length, '', body].join('\r\n');
}

function parseAnswer(bytes: Buffer, isClosed: boolean): Answer | undefined {
  const all = bytes.toString('latin1');
  const end = all.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = all.slice(0, end).split('\r\n');
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const rest = bytes.subarray(end + 4);
  const length = headers.get('content-length');
  const isComplete =
    length !== null
      ? rest.length >= Number(length)
      : isClosed || (headers.has('transfer-encoding') && rest.toString('latin1').endsWith('0\r\n\r\n'));
  if (!isComplete) return undefined;
  const text = (length === null ? rest : rest.subarray(0, Number(length))).toString('utf8');
  const isJson = headers.get('content-type')?.includes('json');
  return { status: Number(statusLine.split(' ')[1]), headers, text, body: isJson ? JSON.parse(text) : text };
}
