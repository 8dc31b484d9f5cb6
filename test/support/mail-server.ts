import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';

/** The certificate that the stand-in shows, for localhost and 127.0.0.1; trusted only where it is named. */
export const MAIL_CERTIFICATE = fileURLToPath(new URL('../fixtures/mail-server.cert.pem', import.meta.url));
const KEY = readFileSync(new URL('../fixtures/mail-server.key.pem', import.meta.url));

/** A mail that the stand-in took, as it came over the wire. */
interface TakenMail {
  envelope: { from: string; to: string[] };
  raw: string;
  isEncrypted: boolean;
  user: string | undefined;
}

/** What the server does at a step: goes on, answers with a code and a text, or cuts the connection. */
type Act = 'go on' | 'cut' | `${number} ${string}`;

/** A mail server, the far end of the channel. What it does at each step can be changed while it runs. */
export interface MailServer {
  port: number;
  mails: TakenMail[];
  /** Connections since the start. */
  connected: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Every command of the clients, as it came. */
  commands: string[];
  onConnect(): Act;
  onSender(address: string): Act;
  onRecipient(address: string): Act;
  /** The message is complete; it is taken unless the answer refuses it. Awaited, so that a test can hold the answer back. */
  onMessage(): Act | Promise<Act>;
  /** At the first byte of a message. */
  onMessageBegin(): Act;
  /** Resolves when no connection is open. */
  untilAllClosed(): Promise<void>;
  /** Cuts every connection. */
  cut(): void;
  stop(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1, without STARTTLS unless told otherwise. */
export async function startMailServer(
  options: Omit<SMTPServerOptions, `on${string}`> & { password?: string } = {},
): Promise<MailServer> {
  const { password, ...settings } = options;
  const hasTls = settings.secure === true || settings.disabledCommands !== undefined;
  const standIn = new SMTPServer({
    disabledCommands: password === undefined ? ['STARTTLS', 'AUTH'] : ['STARTTLS'],
    authOptional: password === undefined,
    allowInsecureAuth: true,
    closeTimeout: 1,
    ...settings,
    logger: { ...SILENT, debug: (_entry: unknown, ...words: string[]) => noteCommand(words.join(' ')) },
    ...(hasTls && { key: KEY, cert: readFileSync(MAIL_CERTIFICATE) }),
    onConnect({ id }, done) {
      server.connected += 1;
      perform(server.onConnect(), id, done);
    },
    onAuth({ username, password: given }, _session, done) {
      if (given === password) done(null, { user: username });
      else done(refusal('535 5.7.8 Authentication credentials invalid'));
    },
    onMailFrom: ({ address }, { id }, done) => perform(server.onSender(address), id, done),
    onRcptTo: ({ address }, { id }, done) => perform(server.onRecipient(address), id, done),
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      const begun = server.onMessageBegin();
      if (begun === 'cut') cutOne(session.id);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        const act = await server.onMessage();
        const taken = () => server.mails.push(mailOf(session, Buffer.concat(chunks)));
        // Taken, and the client never hears of it.
        if (act === 'cut' || act === 'go on') taken();
        perform(act, session.id, done);
      });
    },
  });
  standIn.on('error', () => {});
  function noteCommand(text: string): void {
    if (text.startsWith('C: ')) server.commands.push(text.slice(3));
  }
  const cutOne = (id?: string) => {
    for (const connection of standIn.connections) {
      if (id === undefined || connection.session.id === id) connection._socket.destroy();
    }
  };
  function perform(act: Act, id: string, done: (error?: Error | null, text?: string) => void): void {
    if (act === 'cut') cutOne(id);
    else if (act === 'go on') done();
    else if (act.startsWith('2')) done(null, act.slice(4));
    else done(refusal(act));
  }
  const server: MailServer = {
    port: 0,
    mails: [],
    connected: 0,
    commands: [],
    onConnect: () => 'go on',
    onSender: () => 'go on',
    onRecipient: () => 'go on',
    onMessage: () => 'go on',
    onMessageBegin: () => 'go on',
    get open() {
      return standIn.connections.size;
    },
    async untilAllClosed() {
      while (standIn.connections.size > 0) await new Promise((resolve) => setImmediate(resolve));
    },
    cut: () => cutOne(),
    async stop() {
      cutOne();
      await new Promise<void>((resolve) => standIn.close(() => resolve()));
    },
  };
  await new Promise<void>((resolve) => standIn.listen(0, '127.0.0.1', resolve));
  server.port = (standIn.server.address() as AddressInfo).port;
  return server;
}

const SILENT = { trace() {}, info() {}, warn() {}, error() {}, fatal() {} };

function refusal(answer: string): Error {
  return Object.assign(new Error(answer.slice(4)), { responseCode: Number(answer.slice(0, 3)) });
}

function mailOf({ envelope, secure, user }: SMTPServerSession, raw: Buffer): TakenMail {
  const { mailFrom, rcptTo } = envelope;
  return {
    envelope: { from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address) },
    raw: raw.toString('utf8'),
    isEncrypted: secure,
    user,
  };
}

/** The headers of a mail, unfolded, by their names in small letters. */
export function headersOf(raw: string): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  const [block = ''] = raw.split('\r\n\r\n', 1);
  for (const line of block.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return headers;
}

/** The text of a part of a multipart mail, decoded, with line ends as they are written here. */
export function partOf(raw: string, type: string): string {
  return decodedPart(raw, type).replaceAll('\r\n', '\n');
}

function decodedPart(raw: string, type: string): string {
  const boundary = /boundary="([^"]+)"/.exec(headersOf(raw).get('content-type')![0]!)![1]!;
  const part = raw.split(`--${boundary}`).find((each) => each.includes(`Content-Type: ${type}`))!;
  const [head = '', ...body] = part.split('\r\n\r\n');
  const text = body.join('\r\n\r\n').replace(/\r\n$/, '');
  const encoding = /Content-Transfer-Encoding: (\S+)/i.exec(head)?.[1];
  if (encoding === 'base64') return Buffer.from(text, 'base64').toString('utf8');
  if (encoding !== 'quoted-printable') return text;
  const bytes = text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Checks a DKIM signature as a receiver does (RFC 6376; relaxed/relaxed, rsa-sha256): its tags, or why it fails. */
export function verifyDkim(raw: string, publicKey: string): Record<string, string> {
  const end = raw.indexOf('\r\n\r\n');
  const body = raw.slice(end + 4);
  const fields = raw.slice(0, end + 2).match(/[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*/g)!;
  const nameOf = (field: string) => field.slice(0, field.indexOf(':')).trim().toLowerCase();
  const signature = fields.find((field) => nameOf(field) === 'dkim-signature');
  if (!signature) throw new Error('There is no signature.');
  const tags = Object.fromEntries(
    signature
      .slice(signature.indexOf(':') + 1)
      .replace(/\s+/g, '')
      .split(';')
      .filter((tag) => tag !== '')
      .map((tag) => [tag.slice(0, tag.indexOf('=')), tag.slice(tag.indexOf('=') + 1)]),
  );
  if (tags.c !== 'relaxed/relaxed' || tags.a !== 'rsa-sha256') throw new Error('Another algorithm.');

  const lines = body.split('\r\n').map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  const relaxedBody = `${lines.join('\r\n').replace(/(?:\r\n)+$/, '')}\r\n`;
  if (createHash('sha256').update(relaxedBody).digest('base64') !== tags.bh)
    throw new Error('The body differs.');

  const relaxed = (field: string) => {
    const value = field
      .slice(field.indexOf(':') + 1)
      .replace(/\r\n/g, '')
      .replace(/[ \t]+/g, ' ')
      .trim();
    return `${nameOf(field)}:${value}`;
  };
  const unused = [...fields];
  const signed = tags.h!.split(':').flatMap((name) => {
    const at = unused.findLastIndex((field) => nameOf(field) === name.toLowerCase());
    return at === -1 ? [] : [relaxed(unused.splice(at, 1)[0]!)];
  });
  const own = relaxed(signature).replace(/([;\s]b=)[^;]*/, '$1');
  const data = [...signed, own].join('\r\n');
  const isRight = verify(
    'sha256',
    Buffer.from(data),
    createPublicKey(publicKey),
    Buffer.from(tags.b!, 'base64'),
  );
  if (!isRight) throw new Error('The signature is wrong.');
  return tags;
}
