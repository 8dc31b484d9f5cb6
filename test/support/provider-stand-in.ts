import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the provider got it. */
export interface Received {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** How the provider answers one request, once it has read all of it. */
export type Reaction = (response: ServerResponse, request: Received) => void;

export const answering =
  (status: number, body: unknown, headers: Record<string, string> = {}): Reaction =>
  (response) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
  };

/** Takes the message and says nothing. */
export const silence: Reaction = () => {};

/** Takes the message and breaks the connection. */
export const cut: Reaction = (response) => void response.socket?.destroy();

/** Breaks the connection in the middle of the answer. */
export const cutInAnswer =
  (status: number): Reaction =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': '100' });
    response.write('{"messages":[', () => response.socket?.destroy());
  };

/** An HTTP provider on a free port of this machine: what it got, and what it answers. */
export async function startProvider() {
  const received: Received[] = [];
  const reactions: Reaction[] = [];
  let usual: Reaction = answering(200, {});
  const arrivals: (() => void)[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const got = { method, path: url, headers, body: Buffer.concat(chunks).toString('utf8') };
      received.push(got);
      for (const arrived of arrivals.splice(0)) arrived();
      (reactions.shift() ?? usual)(response, got);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    received,
    port,
    origin: `http://127.0.0.1:${port}`,
    /** Answers the next requests like this, each once. */
    next: (...given: Reaction[]) => void reactions.push(...given),
    /** Answers every other request like this. */
    always(reaction: Reaction): void {
      usual = reaction;
    },
    /** Resolves with the next request that arrives. */
    arrival: () => new Promise<void>((resolve) => arrivals.push(resolve)),
    /** How many connections are open. */
    connections: () =>
      new Promise<number>((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    async stop(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type ProviderStandIn = Awaited<ReturnType<typeof startProvider>>;
