import type { Server as HttpServer, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { addressIdentity, UNKNOWN_ADDRESS, withoutPort } from '../lib/client-address.ts';
import type { Clock } from '../lib/clock.ts';

/** How many requests of one connection may wait for their answers. Nobody who means well pipelines that many. */
const OUTSTANDING_MAX = 100;
/** How long a client may take to read an answer, from when it is that answer's turn, in ms. */
const READING_MAX_MS = 15_000;
/** The same for answers that are long, such as exported sessions. */
export const LONG_READING_MAX_MS = 10 * 60_000;
/** How long a connection that the server has ended may stay half open, in ms. */
const HALF_OPEN_MAX_MS = 5_000;

/** Called once; `aborted` when the connection closed before it had taken the answer. */
type EndListener = (aborted: boolean) => void;

/** A request and its answer. */
interface Exchange {
  readonly connection: Connection;
  readonly listeners: EndListener[];
  /** When all was done but the writing of the answer (Unix ms); undefined before. */
  answeredAt: number | undefined;
  readingMaxMs: number;
}

/** Where a request carries it: a weak map with an entry for every request took a quarter of its processor time (GC). */
const EXCHANGE = Symbol('exchange');

interface Connection {
  readonly socket: Socket;
  /** As it was when the connection opened: a connection that is reset has none any more. */
  readonly address: string | undefined;
  /** Whether it came over the control socket, which only the owner of the data folder can open. */
  readonly isControl: boolean;
  /** In the order in which they came, which is that of their answers. */
  readonly outstanding: Set<Exchange>;
  /** When the latest of them ended (Unix ms). */
  turnedAt: number;
  isOverfull: boolean;
  isClosed: boolean;
  /** When it was first seen that the server has ended it (Unix ms); undefined before. */
  endedAt: number | undefined;
}

/** What is known of every open connection: where it comes from, and which of its requests have no answer yet. */
export type Connections = ReturnType<typeof connectionRegistry>;

/**
 * Watches the connections of HTTP servers. Node closes an answer's response only when it was that answer's turn, so
 * whatever a request holds ends here instead: with its answer or with its connection, whichever is first.
 */
export function connectionRegistry(clock: Clock) {
  const connections = new WeakMap<Socket, Connection>();
  const open = new Set<Connection>();
  const refused = new WeakSet<IncomingMessage>();

  function end(exchange: Exchange, aborted: boolean): void {
    const { connection } = exchange;
    if (!connection.outstanding.delete(exchange)) return;
    connection.turnedAt = clock.now();
    for (const listener of exchange.listeners) listener(aborted);
  }

  function onConnection(socket: Socket, isControl: boolean): void {
    const connection: Connection = {
      socket,
      address: socket.remoteAddress,
      isControl,
      outstanding: new Set(),
      turnedAt: 0,
      isOverfull: false,
      isClosed: false,
      endedAt: undefined,
    };
    connections.set(socket, connection);
    open.add(connection);
    socket.once('close', () => {
      connection.isClosed = true;
      open.delete(connection);
      // One that is still worked on ends with its answer, so that its status is known.
      for (const exchange of connection.outstanding) {
        if (exchange.answeredAt !== undefined) end(exchange, true);
      }
    });
  }

  function onRequest(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
    const { socket } = request;
    const connection = connections.get(socket)!;
    if (connection.isOverfull) return;
    if (connection.outstanding.size >= OUTSTANDING_MAX) {
      // The refusal is the last answer of this connection; nothing that follows is read.
      connection.isOverfull = true;
      refused.add(request);
      response.setHeader('connection', 'close');
      socket.pause();
    }
    const exchange: Exchange = {
      connection,
      listeners: [],
      answeredAt: undefined,
      readingMaxMs: READING_MAX_MS,
    };
    connection.outstanding.add(exchange);
    request[EXCHANGE] = exchange;
    const onEnd = (error?: Error) => end(exchange, error !== undefined);
    response.on('finish', onEnd);
    response.on('error', onEnd);
    handle(request, response);
  }

  return {
    /**
     * Watches a server's connections and has its requests answered by `handle`. Of more than `max` connections the
     * newest is refused (`onFull`), and those that wait for a next request are closed to make room.
     */
    serve(
      server: HttpServer,
      handle: RequestListener,
      { isControl = false, max, onFull }: { isControl?: boolean; max?: number; onFull?: () => void } = {},
    ): HttpServer {
      if (max !== undefined && Number.isFinite(max)) server.maxConnections = max;
      server.on('drop', () => {
        server.closeIdleConnections();
        onFull?.();
      });
      server.on('connection', (socket: Socket) => onConnection(socket, isControl));
      server.on('request', (request, response) => onRequest(request, response, handle));
      return server;
    },

    /** What is known of a request's connection. */
    of: (request: IncomingMessage): Connection =>
      request[EXCHANGE]?.connection ?? connections.get(request.socket)!,

    /** Whether a request is one too many for its connection. */
    isTooMany: (request: IncomingMessage): boolean => refused.has(request),

    /** Gives a client more time to read the answer to a request. */
    allowReading(request: IncomingMessage, maxMs: number): void {
      const exchange = request[EXCHANGE];
      if (exchange) exchange.readingMaxMs = maxMs;
    },

    /**
     * Drops the clients that do not read what is there for them, or do not close a connection that the server has ended.
     * Nothing counts while the server itself is at work.
     */
    dropUnread(): void {
      for (const connection of open) {
        const { socket, outstanding, turnedAt } = connection;
        if (socket.writableEnded && outstanding.size === 0) {
          connection.endedAt ??= clock.now();
          if (clock.now() >= connection.endedAt + HALF_OPEN_MAX_MS) socket.destroy();
          continue;
        }
        const [next] = outstanding;
        if (next?.answeredAt === undefined) continue;
        if (clock.now() >= Math.max(next.answeredAt, turnedAt) + next.readingMaxMs) socket.destroy();
      }
    },

    /** Calls back when a request has ended, however it did. */
    onEnd(request: IncomingMessage, listener: EndListener): void {
      request[EXCHANGE]?.listeners.push(listener);
    },

    /** Says that an answer is about to be written: on a closed connection that is the end of its request. */
    answering(request: IncomingMessage): void {
      const exchange = request[EXCHANGE];
      if (!exchange) return;
      exchange.answeredAt = clock.now();
      if (exchange.connection.isClosed) end(exchange, true);
    },
  };
}

/**
 * Gives every request the address of its client, as far as forwarding headers are trusted. The control socket is known
 * by its server and by nothing that may be missing.
 */
export function decorateWithClient(server: FastifyInstance, connections: Connections): void {
  server.decorateRequest('isControl', {
    getter(this: FastifyRequest) {
      return connections.of(this.raw).isControl;
    },
  });
  server.decorateRequest('clientAddress', {
    getter(this: FastifyRequest) {
      const { isControl, address } = connections.of(this.raw);
      return isControl ? undefined : withoutPort(this.ip ?? address ?? UNKNOWN_ADDRESS);
    },
  });
  server.decorateRequest('clientIdentity', {
    getter(this: FastifyRequest) {
      return this.clientAddress === undefined ? 'local' : addressIdentity(this.clientAddress);
    },
  });
}

declare module 'node:http' {
  interface IncomingMessage {
    [EXCHANGE]?: Exchange;
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether it came over the control socket, which only the owner of the data folder can open. */
    readonly isControl: boolean;
    /** The client's address; `unknown` when its connection had none, undefined over the control socket. */
    readonly clientAddress: string | undefined;
    /** The client as limits count it and the audit keeps it: its address or network, `unknown`, or `local`. */
    readonly clientIdentity: string;
  }
  interface FastifyContextConfig {
    /** How long a client may take to read this route's answer, in ms, where that is longer than elsewhere. */
    readingMaxMs?: number;
  }
}
