import { request as httpRequest, type IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import type { TestApp } from './test-app.ts';

/** An event as it came over the stream. */
interface StreamedEvent {
  id: string;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
  data: any;
}

/** A client of the live stream. */
export interface StreamClient {
  status: number;
  headers: IncomingMessage['headers'];
  /** What came so far. */
  events: StreamedEvent[];
  comments: string[];
  /** What it would send as `Last-Event-ID`. */
  lastId: string | undefined;
  /** How long it was told to wait before it connects again, in ms. */
  retryMs: number | undefined;
  /** Whether the server has ended the stream. */
  isClosed: boolean;
  /** Moves the server's clock on until `isTrue` is; the time limit of the test is the only end. */
  until(isTrue: () => boolean): Promise<void>;
  /** The types of the events that came, once there are so many. */
  types(count: number): Promise<string[]>;
  destroy(): void;
}

export interface StreamOptions {
  query?: Record<string, string>;
  /** An API key; the first key when absent, none when null. */
  key?: string | null;
  asAdmin?: boolean;
  headers?: Record<string, string>;
  /** Takes nothing from its connection. */
  isDeaf?: boolean;
}

/** Opens a stream by a plain HTTP request and reads it by the rules of the HTML standard. */
export async function openStream(server: TestApp, options: StreamOptions = {}): Promise<StreamClient> {
  const { query = {}, key = server.key, asAdmin = false, headers = {}, isDeaf = false } = options;
  const url = new URL(`/api/v1/events/stream?${new URLSearchParams(query)}`, server.address);
  const credentials: Record<string, string> = asAdmin
    ? { 'x-master-key': server.adminPassword }
    : key === null
      ? {}
      : { authorization: `Bearer ${key}` };
  const call = httpRequest(url, { agent: false, headers: { ...credentials, ...headers } });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    call.on('response', resolve).on('error', reject).end();
  });
  call.on('error', () => {});
  onTestFinished(() => void call.destroy());
  const client: StreamClient = {
    status: response.statusCode!,
    headers: response.headers,
    events: [],
    comments: [],
    lastId: undefined,
    retryMs: undefined,
    isClosed: false,
    async until(isTrue) {
      while (!isTrue()) {
        await server.clock.advance(50);
        if (this.isClosed && !isTrue())
          throw new Error(`The stream was closed after ${this.events.length} events.`);
      }
    },
    async types(count) {
      await this.until(() => this.events.length >= count);
      return this.events.map(({ event }) => event);
    },
    destroy: () => void call.destroy(),
  };
  response.on('error', () => {});
  response.on('close', () => {
    client.isClosed = true;
  });
  if (isDeaf) return client;
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) take(client, block);
  });
  return client;
}

function take(client: StreamClient, block: string): void {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const [field, value] = [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
    if (field === '') client.comments.push(value);
    else if (field === 'id') client.lastId = value;
    else if (field === 'retry') client.retryMs = Number(value);
    else if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else throw new Error(`The stream has a field that is not in the standard: ${line}`);
  }
  if (data.length > 0) client.events.push({ id: client.lastId!, event, data: JSON.parse(data.join('\n')) });
}
