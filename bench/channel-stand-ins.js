// @ts-check
// The far ends of the channels in a process of their own: the Graph API, an SMS provider and a mail server that take every
// message, remember it, and report what became of it until the server under test has heard.
import { fork } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { answerQuestions, questionsTo } from './questions.js';
import { seeded } from './seeded.js';

const SELF = fileURLToPath(import.meta.url);

/** What the server under test and its far ends share. */
export const APP_SECRET = 'the-secret-of-the-app';
export const VERIFY_TOKEN = 'the-verify-token';
export const NUMBERS = ['106540352242922', '106540352242923'];
const CALLBACK_TOKEN = 'the-token-of-the-provider';
/** How long a far end takes to take a message, to answer, and to report, at most, in ms. */
const TAKE_MAX_MS = 20;
const ANSWER_MAX_MS = 60;
const REPORT_MAX_MS = 200;
/** A report that nobody took is repeated after this time, in ms; Meta takes longer. */
const REPEAT_MS = 250;
/** How long a report waits for its answer, in ms. */
const REPORT_WAITS_MS = 10_000;

/**
 * The messages that far ends took, by our ids.
 * @typedef {{ to: string, times: number, isLost: boolean }} Taken `isLost`: whether who asked was gone before the answer
 * @typedef {{ cloud_api: Record<string, Taken>, sms: Record<string, Taken>, email: Record<string, Taken> }} AllTaken
 * @typedef {{ graph: string, sms: string, smtp: number }} Places
 */

/**
 * The definition of the provider, for PROVIDERS_FILE. It recognizes a repetition by its `Idempotency-Key`.
 * @param {string} url
 */
export const providerAt = (url) => ({
  name: 'stand-in',
  channel: 'sms',
  url,
  headers: { 'Idempotency-Key': '{{messageId}}' },
  json: { to: '{{to}}', text: '{{text}}', callback: '{{callbackUrl}}' },
  success: { where: [{ path: 'ok', in: [true] }] },
  messageId: 'id',
  callback: { messageId: 'id', status: 'state', map: { DELIVRD: 'delivered' }, token: CALLBACK_TOKEN },
});

/** Starts them in a child process. */
export function startStandIns() {
  const child = fork(SELF, ['serve'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const end = () => void child.kill('SIGKILL');
  // Nothing is left behind when who uses it fails.
  process.once('exit', end);
  const ask = questionsTo(child);
  return {
    /** @returns {Promise<Places>} @param {{ seed?: number }} [options] with a seed they are slow, and report */
    start: (options = {}) => ask('start', options),
    /** Where reports go from now on. @param {string} origin */
    reportTo: (origin) => ask('reportTo', origin),
    /** How many reports the server has not taken yet. @returns {Promise<number>} */
    unreported: () => ask('unreported'),
    /** @returns {Promise<AllTaken>} */
    taken: () => ask('taken'),
    stop() {
      process.off('exit', end);
      end();
    },
  };
}

/** @typedef {ReturnType<typeof startStandIns>} StandIns */

function serve() {
  /** @type {AllTaken} */
  const taken = { cloud_api: {}, sms: {}, email: {} };
  /** What is slow and reports; undefined where they only take. @type {((max: number) => number) | undefined} */
  let random;
  let origin = '';
  let unreported = 0;

  const wait = (/** @type {number} */ maxMs) =>
    random === undefined ? undefined : new Promise((resolve) => setTimeout(resolve, random?.(maxMs)));

  /** Remembers a message; tells whether it is new. @param {Record<string, Taken>} by @param {string} id @param {string} to */
  function take(by, id, to) {
    const known = by[id];
    by[id] = { to, times: (known?.times ?? 0) + 1, isLost: false };
    return known === undefined;
  }

  /** Reports something until it is taken. @param {string} path @param {unknown} value @param {Record<string, string>} [headers] */
  async function report(path, value, headers = {}) {
    const body = JSON.stringify(value);
    const hmac = createHmac('sha256', APP_SECRET).update(body).digest('hex');
    unreported += 1;
    for (;;) {
      await wait(REPORT_MAX_MS);
      const answer = await fetch(new URL(path, origin), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${hmac}`, ...headers },
        body,
        signal: AbortSignal.timeout(REPORT_WAITS_MS),
      }).catch(() => undefined);
      await answer?.text().catch(() => {});
      if (answer?.status === 200) break;
      await new Promise((resolve) => setTimeout(resolve, REPEAT_MS));
    }
    unreported -= 1;
  }

  /** @param {any} message @param {string} wamid @param {string} sender */
  async function reportStatuses({ biz_opaque_callback_data: ours }, wamid, sender) {
    for (const status of ['sent', 'delivered', 'read']) {
      const timestamp = String(Math.floor(Date.now() / 1000));
      const value = {
        messaging_product: 'whatsapp',
        metadata: { phone_number_id: sender },
        statuses: [{ id: wamid, status, timestamp, biz_opaque_callback_data: ours }],
      };
      await report('/api/v1/channels/cloud-api/webhook', {
        object: 'whatsapp_business_account',
        entry: [{ id: '1', changes: [{ field: 'messages', value }] }],
      });
    }
  }

  /** @param {string} path @param {any} message @param {import('node:http').IncomingHttpHeaders} headers */
  function answerOf(path, message, headers) {
    if (path === '/sms') {
      const reference = String(headers['idempotency-key']);
      const id = `sms-${reference}`;
      if (take(taken.sms, reference, message.to) && random) {
        const { pathname, search } = new URL(message.callback);
        void report(pathname + search, { id, state: 'DELIVRD' });
      }
      return { ok: true, id };
    }
    const { biz_opaque_callback_data: ours, to } = message;
    take(taken.cloud_api, ours, to);
    const wamid = `wamid.${ours}.${taken.cloud_api[ours]?.times}`;
    if (random) void reportStatuses(message, wamid, String(path.split('/')[2]));
    return { messages: [{ id: wamid, message_status: 'accepted' }] };
  }

  const http = createServer((request, response) => {
    /** @type {Buffer[]} */
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      await wait(TAKE_MAX_MS);
      const message = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      const answer = answerOf(request.url ?? '', message, request.headers);
      await wait(ANSWER_MAX_MS);
      const sent = taken.cloud_api[message.biz_opaque_callback_data];
      if (sent && request.socket.destroyed) sent.isLost = true;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });

  /** @param {typeof import('smtp-server').SMTPServer} SMTPServer */
  const mailServer = (SMTPServer) =>
    new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      disableReverseLookup: true,
      onData(stream, { envelope }, done) {
        let head = '';
        stream.on('data', (chunk) => {
          head += head.length < 4_096 ? chunk.toString('latin1') : '';
        });
        stream.on('end', async () => {
          await wait(TAKE_MAX_MS);
          const id = /^Message-ID: <([^@]+)@/im.exec(head)?.[1] ?? 'none';
          take(taken.email, id, envelope.rcptTo[0]?.address ?? '');
          await wait(ANSWER_MAX_MS);
          done();
        });
      },
    });

  answerQuestions({
    /** @param {{ seed?: number }} options @returns {Promise<Places>} */
    async start({ seed }) {
      const { SMTPServer } = await import('smtp-server');
      random = seed === undefined ? undefined : seeded(seed);
      const smtp = mailServer(SMTPServer);
      // A server that is killed leaves broken connections behind.
      smtp.on('error', () => {});
      const servers = [http.listen(0, '127.0.0.1'), smtp.listen(0, '127.0.0.1')];
      await Promise.all(servers.map((server) => once(server, 'listening')));
      const [webPort, mailPort] = servers.map(
        (server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port,
      );
      const graph = `http://127.0.0.1:${webPort}`;
      return { graph, sms: `${graph}/sms`, smtp: Number(mailPort) };
    },
    reportTo(/** @type {string} */ to) {
      origin = to;
    },
    unreported: () => unreported,
    taken: () => taken,
  });
}

if (process.argv[1] === SELF) serve();
