import type { Agent } from 'node:https';
import {
  aesDecryptGCM,
  aesEncryptGCM,
  type CacheStore,
  DEFAULT_CONNECTION_CONFIG,
  decodeBinaryNode,
  makeWASocket,
  type PossiblyExtendedCacheStore,
  type SignalDataSet,
  type SignalKeyStore,
  type UserFacingSocketConfig,
  type WASocket,
  type WAVersion,
} from 'baileys';
import { numberOf } from '../jid.ts';
import type { AuthStore } from './auth-store.ts';
import type { BaileysLog } from './baileys-log.ts';
import { type BoundedWire, boundMessages, checkFramesAreBounded } from './frame-bounds.ts';
import { filterIncoming, type PausableWire } from './incoming.ts';
import { callLibrary, type LibraryUser, listening, ours } from './library-scope.ts';
import type { MessageText, WhatsAppSocket } from './session.ts';

await checkFramesAreBounded({ aesDecryptGCM, aesEncryptGCM, decodeBinaryNode });

/** A query that WhatsApp leaves without an answer for so long has failed, in ms. */
const QUERY_MAX_MS = 15_000;
const CONNECT_MAX_MS = 20_000;
const KEEP_ALIVE_MS = 25_000;

/** What the phone shows under "Linked devices"; some accounts refuse to link names that no browser has. */
const BROWSER: [string, string, string] = ['Ubuntu', 'Chrome', '22.04.4'];

export interface SocketOptions {
  auth: AuthStore;
  log: BaileysLog;
  /** WhatsApp's own address unless given. */
  url: string | undefined;
  /** The version of the protocol to speak; the one Baileys was released with unless given. */
  version: WAVersion | undefined;
  agent: Agent | undefined;
  messageText: MessageText;
  /** What outlives a socket: counts of retries, and who has which devices. */
  retries: CacheStore;
  devices: PossiblyExtendedCacheStore;
}

/** The part of a WebSocket that lets bytes out, and ends. */
export interface Wire {
  send(data: Uint8Array, done?: (error?: Error) => void): void;
  terminate(): void;
}

/** A connection with what only its maker uses. */
export interface OpenedSocket extends WhatsAppSocket, Pick<WASocket, 'query' | 'requestPairingCode' | 'end'> {
  readonly wire: Wire;
}

/**
 * A new connection to WhatsApp. Nothing is downloaded but what sending and receiving texts takes. This is the one place
 * where Baileys is entered and left.
 */
export function openSocket(options: SocketOptions, user: LibraryUser): OpenedSocket {
  const socket = callLibrary(user, () => makeWASocket(configOf(options, () => opened)));
  keepNoTexts(socket);
  // Baileys receives and sends through the WebSocket inside its own client, and has no other way in.
  const wire = (socket.ws as unknown as { socket: Wire & BoundedWire & PausableWire }).socket;
  boundMessages(wire);
  filterIncoming(socket.ws, wire, options.auth, user);
  const opened = entered(socket, wire, user);
  return opened;
}

function configOf(options: SocketOptions, opened: () => WhatsAppSocket): UserFacingSocketConfig {
  const { auth, log, url, version, agent, messageText, retries, devices } = options;
  const { keys } = auth;
  const store: SignalKeyStore = { get: ours(keys.get) as typeof keys.get, set: ours(keys.set) };
  return {
    auth: { creds: auth.creds, keys: store },
    logger: log,
    browser: BROWSER,
    connectTimeoutMs: CONNECT_MAX_MS,
    defaultQueryTimeoutMs: QUERY_MAX_MS,
    keepAliveIntervalMs: KEEP_ALIVE_MS,
    markOnlineOnConnect: false,
    syncFullHistory: false,
    shouldSyncHistoryMessage: () => false,
    emitOwnEvents: false,
    generateHighQualityLinkPreview: false,
    transactionOpts: { maxCommitRetries: 2, delayBetweenTriesMs: 500 },
    msgRetryCounterCache: retries,
    userDevicesCache: devices,
    // Anybody can ask for any id, and gets what is returned here.
    getMessage: ours(async ({ id, remoteJid }) => {
      const number = remoteJid ? await numberOf(opened(), remoteJid) : undefined;
      const text = id && number ? await messageText(id, number) : undefined;
      return text === undefined ? undefined : { extendedTextMessage: { text } };
    }),
    makeSignalRepository: (signal, logger, lidsOf) => {
      // Baileys commits a message's keys after the message has left; this hands them to the store before.
      const set = async (data: SignalDataSet) => {
        await signal.keys.set(data);
        if (data.session) await store.set({ session: data.session });
      };
      const handing = { creds: signal.creds, keys: { ...signal.keys, set } };
      return DEFAULT_CONNECTION_CONFIG.makeSignalRepository(handing, logger, lidsOf);
    },
    ...(url === undefined ? {} : { waWebSocketUrl: url }),
    ...(version === undefined ? {} : { version }),
    ...(agent === undefined ? {} : { agent }),
  };
}

/** By default Baileys keeps the last 512 texts, codes in them, and asks them before `getMessage`. What it counts stays on. */
function keepNoTexts({ messageRetryManager }: WASocket): void {
  if (!messageRetryManager) throw new Error('Baileys has no memory of messages to switch off.');
  messageRetryManager.addRecentMessage = () => {};
}

/** The socket as the rest of WOTP uses it: calls go into the library, and what it tells comes out of it. */
function entered(socket: WASocket, wire: Wire, user: LibraryUser): OpenedSocket {
  const { ws, ev, authState, signalRepository } = socket;
  const { lidMapping } = signalRepository;
  const into =
    <Given extends unknown[], T>(method: (...given: Given) => T) =>
    (...given: Given) =>
      callLibrary(user, () => method(...given));
  // biome-ignore lint/suspicious/noExplicitAny: a listener takes what its event brings
  type Listener = (...given: any[]) => void;
  const heard = new Map<Listener, Listener>();
  return {
    get user() {
      return socket.user;
    },
    sendMessage: into(socket.sendMessage),
    query: into(socket.query) as WASocket['query'],
    onWhatsApp: into(socket.onWhatsApp),
    getUSyncDevices: into(socket.getUSyncDevices),
    assertSessions: into(socket.assertSessions),
    fetchAccountReachoutTimelock: into(socket.fetchAccountReachoutTimelock),
    fetchNewChatMessageCap: into(socket.fetchNewChatMessageCap),
    requestPairingCode: into(socket.requestPairingCode),
    end: into(socket.end),
    authState: {
      keys: { get: into(authState.keys.get) as SignalKeyStore['get'], set: into(authState.keys.set) },
    },
    signalRepository: {
      lidMapping: {
        getLIDsForPNs: into((numbers) => lidMapping.getLIDsForPNs(numbers)),
        getPNForLID: into((lid) => lidMapping.getPNForLID(lid)),
      },
    },
    ev: { on: (event, listener) => ev.on(event, listening(listener)) },
    ws: {
      get isOpen() {
        return ws.isOpen;
      },
      on(event: string, listener: Listener) {
        const wrapped = heard.get(listener) ?? listening(listener);
        heard.set(listener, wrapped);
        ws.on(event, wrapped);
      },
      off(event: string, listener: Listener) {
        ws.off(event, heard.get(listener) ?? listener);
      },
    },
    wire,
  };
}
