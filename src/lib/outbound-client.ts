import { lookup as systemLookup } from 'node:dns';
import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { Clock } from './clock.ts';
import { ExpectedError } from './expected-error.ts';
import { type AddressPolicy, addressPolicy } from './internet-address.ts';

const CONNECT_MAX_MS = 5_000;
const TOTAL_MAX_MS = 10_000;
const ANSWER_MAX_BYTES = 256 * 1024;
const SOCKETS_MAX = 50;
/** An unused connection is closed after this time, sooner than servers close theirs, so that none is used as it ends. */
const IDLE_MAX_MS = 4_000;

/** A request to somebody else's server. */
export interface OutboundRequest {
  url: URL;
  method: string;
  headers: Readonly<Record<string, string>>;
  body?: string | undefined;
}

export interface OutboundAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Without its content encoding. */
  body: Buffer;
}

/**
 * A request without a complete answer. The message is one and the same for all that could not be reached, so that it
 * never tells whether there is something at an internal address; the cause is for the log.
 */
export class OutboundError extends ExpectedError {
  /** Whether the whole request left this machine, so that the server may have acted on it. */
  readonly mayHaveArrived: boolean;
  /** The status of an answer that broke off. */
  readonly status: number | undefined;

  constructor(message: string, { cause, mayHaveArrived = false, status }: OutboundFailure) {
    super(message, { cause });
    this.mayHaveArrived = mayHaveArrived;
    this.status = status;
  }
}

interface OutboundFailure {
  cause?: unknown;
  mayHaveArrived?: boolean;
  status?: number | undefined;
}

/** Which targets there are. */
export interface TargetRules {
  /** Internal addresses that may be reached nevertheless: IP addresses and CIDR blocks, at any port. */
  allowedAddresses: readonly string[];
  /** Whether plain http may go to listed addresses only. */
  isProduction: boolean;
}

export interface OutboundClientOptions extends TargetRules {
  /** The time that the limits of a request are measured by. */
  clock: Clock;
  /** Looks up the addresses of a name; as `dns.lookup`. */
  lookup?: LookupFunction;
  /** How long a request may take in all, in ms; 10 seconds unless given. */
  totalMaxMs?: number;
  /** How much of an answer is read, in bytes; 256 kB unless given. */
  answerMaxBytes?: number;
  /** Whether a longer answer is cut off there, in place of being a failure. */
  cutsAnswers?: boolean;
  /** Connections to one host and port at most; 50 unless given. */
  socketsMax?: number;
}

/** Sends requests to servers that others have chosen, and never to an internal address. */
export interface OutboundClient {
  /**
   * Sends a request and reads the answer within the limits of the client, 5 seconds of them to connect. Redirects are
   * answers, and proxies of the environment are not used.
   * @param totalMaxMs a shorter time for all of it
   * @throws OutboundError; the signal's reason when it is aborted before the request has left
   */
  send(request: OutboundRequest, signal: AbortSignal, totalMaxMs?: number): Promise<OutboundAnswer>;
  /** Closes all connections. */
  close(): void;
}

/** A client whose connections are checked where they are made: the very address that is connected to, each time. */
export function outboundClient(options: OutboundClientOptions): OutboundClient {
  const { clock, isProduction, lookup = systemLookup as LookupFunction } = options;
  const { socketsMax = SOCKETS_MAX, answerMaxBytes = ANSWER_MAX_BYTES, cutsAnswers = false } = options;
  const policy = addressPolicy(options.allowedAddresses);
  const pool = { keepAlive: true, maxSockets: socketsMax, timeout: IDLE_MAX_MS };
  /** Each protocol with its connections and the addresses that it may go to. */
  const ways = {
    'http:': way(requestHttp, new HttpAgent(pool), isProduction ? policy.lists : policy.allows),
    'https:': way(requestHttps, new HttpsAgent(pool), policy.allows),
  };

  function way<R, A extends HttpAgent>(request: R, agent: A, allows: (address: string) => boolean) {
    return { request, agent: checkingAgent(agent, allows), allows, lookup: checkedLookup(lookup, allows) };
  }

  return {
    send(request, signal, totalMaxMs = options.totalMaxMs ?? TOTAL_MAX_MS) {
      const { url, method, headers, body } = request;
      const refused = refusalBy(policy, url, options);
      if (refused !== undefined) return Promise.reject(unreachable(new Error(`refused: ${refused}`)));
      if (signal.aborted) return Promise.reject(signal.reason);
      const { request: begin, agent, lookup: checked } = ways[url.protocol as keyof typeof ways];
      return new Promise((resolve, reject) => {
        let isOut = false;
        let status: number | undefined;
        const call = begin(url, {
          method,
          agent,
          lookup: checked,
          headers: {
            accept: 'application/json',
            'accept-encoding': 'identity',
            'user-agent': 'WOTP/4',
            ...headers,
            ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
          },
        });
        const fail = (cause: unknown) => {
          const error = isOut ? lost(cause, status) : unreachable(cause);
          end(() => reject(signal.aborted && !isOut ? signal.reason : error));
          call.destroy();
        };
        const total = clock.setTimeout(() => fail(new Error('no answer in time')), totalMaxMs);
        const connect = clock.setTimeout(() => fail(new Error('no connection in time')), CONNECT_MAX_MS);
        const onAbort = () => fail(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        let isOver = false;
        const end = (settle: () => void) => {
          if (isOver) return;
          isOver = true;
          total.cancel();
          connect.cancel();
          signal.removeEventListener('abort', onAbort);
          settle();
        };
        call.on('socket', (socket) => {
          if (call.reusedSocket) connect.cancel();
          else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => connect.cancel());
        });
        // Also when a socket is destroyed, though nothing has left then.
        call.on('finish', () => {
          isOut ||= call.socket?.destroyed === false;
        });
        call.on('error', fail);
        call.on('response', (response) => {
          isOut = true;
          status = response.statusCode!;
          readAnswer(response, { answerMaxBytes, cutsAnswers }, fail, (answer) => end(() => resolve(answer)));
        });
        call.end(body);
      });
    },

    close() {
      for (const { agent } of Object.values(ways)) agent.destroy();
    },
  };
}

/**
 * Why a URL cannot be a target, worded to follow "allowed:", as far as it says so itself: a name may still turn out to be
 * internal when it is looked up. An IP address in any spelling (decimal, octal, hexadecimal, shortened) is one in `URL`.
 */
export function targetRefusal(url: URL, rules: TargetRules): string | undefined {
  return refusalBy(addressPolicy(rules.allowedAddresses), url, rules);
}

/** As `targetRefusal`, with the policy of the rules at hand: making one costs more than asking it. */
function refusalBy(
  policy: AddressPolicy,
  url: URL,
  { allowedAddresses, isProduction }: TargetRules,
): string | undefined {
  const { protocol, username, password, hostname } = url;
  if (protocol !== 'http:' && protocol !== 'https:') return 'an http or https address';
  if (username !== '' || password !== '') return 'an address without user and password';
  const host = hostname.replace(/^\[|\]$/g, '');
  const isBareIp = isIP(host) !== 0;
  if (isBareIp && !policy.allows(host)) return 'a public address, or one that is listed as an exception';
  if (protocol === 'https:' || !isProduction) return undefined;
  const mayBeListed = isBareIp ? policy.lists(host) : allowedAddresses.length > 0;
  return mayBeListed ? undefined : 'an https address in production';
}

/** What everything is called that could not be reached, refused or not. */
const unreachable = (cause: unknown) => new OutboundError('The address cannot be reached.', { cause });

const lost = (cause: unknown, status: number | undefined) =>
  new OutboundError('The answer was lost.', { cause, mayHaveArrived: true, status });

/** A lookup that finds nothing where any address of the name may not be reached. */
function checkedLookup(lookup: LookupFunction, allows: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = error ? [] : [found].flat().filter((entry) => typeof entry !== 'string');
      const refused = addresses.find(({ address }) => !allows(address));
      if (error || refused || addresses.length === 0) {
        const reason = refused ? `is at ${refused.address}, which is internal` : 'has no address';
        callback(error ?? new Error(`refused: ${hostname} ${reason}`), '', 0);
      } else if (options.all) callback(null, addresses);
      else callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}

/** Looks once more at what a new connection has reached, before a byte is written to it. */
function checkingAgent<A extends HttpAgent>(agent: A, allows: (address: string) => boolean): A {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = create(options, callback) as Duplex & { remoteAddress?: string };
    socket.once('connect', () => {
      const { remoteAddress = '' } = socket;
      if (!allows(remoteAddress)) socket.destroy(new Error(`refused: connected to ${remoteAddress}`));
    });
    return socket;
  };
  return agent;
}

function readAnswer(
  response: IncomingMessage,
  { answerMaxBytes, cutsAnswers }: { answerMaxBytes: number; cutsAnswers: boolean },
  fail: (cause: unknown) => void,
  done: (answer: OutboundAnswer) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= answerMaxBytes) chunks.push(chunk);
    else if (cutsAnswers) cutOff(chunk);
    else fail(new Error(`the answer is larger than ${answerMaxBytes} bytes`));
  });
  /** What is left of a compressed answer cannot be read. */
  function cutOff(chunk: Buffer): void {
    chunks.push(chunk);
    const { statusCode: status, headers } = response;
    const isPlain = (headers['content-encoding'] ?? 'identity') === 'identity';
    const body = isPlain ? Buffer.concat(chunks).subarray(0, answerMaxBytes) : Buffer.alloc(0);
    done({ status: status!, headers, body });
    response.destroy();
  }
  response.on('error', fail);
  response.on('end', () => {
    const { statusCode: status, headers } = response;
    try {
      const body = decoded(Buffer.concat(chunks), headers['content-encoding'], answerMaxBytes);
      done({ status: status!, headers, body });
    } catch (error) {
      fail(error);
    }
  });
}

/** A body as it was before it was compressed: some servers do that without being asked. */
function decoded(body: Buffer, coding = 'identity', maxOutputLength = ANSWER_MAX_BYTES): Buffer {
  const limit = { maxOutputLength };
  switch (coding.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(body, limit);
    case 'deflate':
      return inflateSync(body, limit);
    case 'br':
      return brotliDecompressSync(body, limit);
    default:
      return body;
  }
}
