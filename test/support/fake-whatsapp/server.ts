import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { makeAgenda, realTime, type Scheduler } from './agenda.ts';
import { WebSocketServer } from './baileys-libraries.ts';
import { makeChanges } from './changes.ts';
import { acceptConnection } from './connection.ts';
import { refuseLogin } from './disconnects.ts';
import type { LinkedDevice, LinkedDeviceParts } from './linked-device.ts';
import type { Network } from './network.ts';
import { makePhone, type Phone, type PhoneOptions, type PhoneParts } from './phone.ts';
import { type Registration, register } from './registration.ts';
import { SERVER, type Stanza, stanza, userOf } from './stanza.ts';

/** A WhatsApp of its own on this machine, to which unmodified Baileys connects. */
export interface FakeWhatsApp {
  /** For Baileys' `waWebSocketUrl`. */
  readonly url: string;
  /** How many clients are connected, paired or not. */
  readonly connections: number;
  /** How many connections there have been. */
  readonly connectionsEver: number;
  /** How many connected clients wait to be paired. */
  readonly unpaired: number;
  /** The phone with this number (`+49…`), which is on WhatsApp from now on; options count when it is new. */
  phone(number: string, options?: PhoneOptions): Phone;
  /** The device paired with this number last; throws when there is none. */
  linked(number: string): LinkedDevice;
  /** What becomes of new connections: taken, refused with this HTTP status, or left without an answer. */
  door: 'open' | 'silent' | number;
  /** Refuses clients that are not paired with this `<failure>`, such as 405, until undefined. */
  registrationFailure: number | undefined;
  /** Refuses clients of WhatsApp Web whose version ends in a smaller number than this, as outdated (405). */
  oldestVersion: number;
  /** Sends this stanza to everyone who is being paired, whatever it is. */
  attack(what: Stanza): void;
  /** Wants a passkey of everyone who is being paired, as WhatsApp does with some accounts. */
  askForPasskey(): void;
  /** Cuts every TCP connection. */
  dropConnections(): void;
  /** Cuts every connection and listens no more: new ones are refused. */
  goAway(): Promise<void>;
  /** Listens again, on the same port. */
  comeBack(): Promise<void>;
  /** Resolves as soon as the condition holds; rejects after `withinMs` of real time, 10 seconds unless given. */
  until(condition: () => boolean, withinMs?: number): Promise<void>;
  /** Closes everything. Throws if anything went wrong inside the server in the meantime. */
  stop(): Promise<void>;
}

export interface FakeWhatsAppOptions {
  /** Time for everything that has a delay; the machine's unless given. */
  scheduler?: Scheduler;
}

/** Starts a server on a free port of 127.0.0.1. */
export async function startFakeWhatsApp(options: FakeWhatsAppOptions = {}): Promise<FakeWhatsApp> {
  const errors: unknown[] = [];
  const failed = (error: unknown) => void errors.push(error);
  const agenda = makeAgenda(options.scheduler ?? realTime, failed);
  const changes = makeChanges();
  const phones = new Map<string, PhoneParts>();
  const spellings = new Map<string, PhoneParts>();
  const sockets = new Set<Duplex>();
  let connectionsEver = 0;

  const network: Network = {
    agenda,
    changed: changes.changed,
    phoneOf: (jid) => phones.get(userOf(jid)),
    dialled: (number) => spellings.get(number),
    registrations: new Set(),
    newId: () => `3A${randomBytes(9).toString('hex').toUpperCase()}`,
  };

  const phoneByNumber = (number: string, phoneOptions: PhoneOptions = {}): PhoneParts => {
    const known = spellings.get(number);
    if (known) return known;
    if (!/^\+\d{7,15}$/.test(number))
      throw new Error(`A number is written like +4915112345678, not ${number}.`);
    const phone = makePhone(network, number, phoneByNumber, phoneOptions);
    phones.set(phone.user, phone);
    phones.set(phone.lidUser, phone);
    for (const spelling of [number, ...phone.spellings]) spellings.set(spelling, phone);
    return phone;
  };

  const webSockets = new WebSocketServer({ noServer: true });
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (whatsapp.door === 'silent') return;
    if (whatsapp.door !== 'open') {
      socket.end(`HTTP/1.1 ${whatsapp.door} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      let client: LinkedDeviceParts | Registration | undefined;
      const connection = acceptConnection(webSocket, {
        opened(opened, payload) {
          if ((payload.userAgent?.appVersion?.tertiary ?? 0) < whatsapp.oldestVersion) {
            refuseLogin(opened, 405);
            return;
          }
          if (payload.devicePairingData) {
            if (whatsapp.registrationFailure === undefined) client = register(network, opened, payload);
            else refuseLogin(opened, whatsapp.registrationFailure);
            return;
          }
          const phone = phones.get(String(payload.username));
          client = phone?.linked.find(
            ({ id, noiseKey }) => id === payload.device && noiseKey.equals(opened.noiseKey),
          );
          if (client) client.logIn(opened);
          else refuseLogin(opened, 401);
        },
        received: (node) => client?.received(node, connection),
        closed: () => client?.disconnected(connection),
        failed,
      });
    });
  });
  server.on('connection', (socket) => {
    connectionsEver += 1;
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      changes.changed();
    });
    socket.on('error', () => socket.destroy());
    changes.changed();
  });

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  const dropConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  const goAway = async () => {
    const closed = [...sockets].map((socket) => once(socket, 'close'));
    dropConnections();
    server.close();
    await Promise.all(closed);
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;

  const whatsapp: FakeWhatsApp = {
    url: `ws://127.0.0.1:${port}/ws/chat`,
    get connections() {
      return sockets.size;
    },
    get connectionsEver() {
      return connectionsEver;
    },
    get unpaired() {
      return network.registrations.size;
    },
    phone: (number, phoneOptions) => phoneByNumber(number, phoneOptions).face,
    linked(number) {
      const device = spellings.get(number)?.linked.at(-1);
      if (!device) throw new Error(`No device is paired with ${number}.`);
      return device;
    },
    door: 'open',
    registrationFailure: undefined,
    oldestVersion: 0,
    attack(what) {
      for (const { connection } of network.registrations) connection.send(what);
    },
    askForPasskey() {
      for (const { connection } of network.registrations) {
        const t = network.agenda.timestamp();
        const attributes = { from: SERVER, type: 'passkey_prologue_request', id: network.newId(), t };
        connection.send(stanza('notification', attributes, [stanza('passkey_request_options')]));
      }
    },
    dropConnections,
    goAway,
    comeBack: () => listen(port),
    until: changes.until,
    async stop() {
      agenda.stop();
      changes.stop();
      await goAway();
      if (errors.length > 0)
        throw new AggregateError(errors, `The fake WhatsApp server failed: ${errors[0]}`);
    },
  };
  return whatsapp;
}
