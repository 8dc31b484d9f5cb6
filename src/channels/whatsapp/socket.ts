import type { Agent } from 'node:https';
import {
  type CacheStore,
  DEFAULT_CONNECTION_CONFIG,
  makeWASocket,
  type PossiblyExtendedCacheStore,
  type SignalDataSet,
  type UserFacingSocketConfig,
  type WASocket,
  type WAVersion,
} from 'baileys';
import type { AuthStore } from './auth-store.ts';
import type { BaileysLog } from './baileys-log.ts';
import { numberOf } from './jid.ts';
import type { MessageText } from './session.ts';

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

/** A new connection to WhatsApp. Nothing is downloaded but what sending and receiving texts takes. */
export function openSocket(options: SocketOptions): WASocket {
  const { auth, log, url, version, agent, messageText, retries, devices } = options;
  const config: UserFacingSocketConfig = {
    auth: { creds: auth.creds, keys: auth.keys },
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
    getMessage: async ({ id, remoteJid }) => {
      const number = remoteJid ? await numberOf(socket, remoteJid) : undefined;
      const text = id && number ? await messageText(id, number) : undefined;
      return text === undefined ? undefined : { extendedTextMessage: { text } };
    },
    makeSignalRepository: (signal, logger, lidsOf) => {
      // Baileys commits a message's keys after the message has left; this hands them to the store before.
      const set = async (data: SignalDataSet) => {
        await signal.keys.set(data);
        if (data.session) await auth.keys.set({ session: data.session });
      };
      const keys = { ...signal.keys, set };
      return DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ creds: signal.creds, keys }, logger, lidsOf);
    },
    ...(url === undefined ? {} : { waWebSocketUrl: url }),
    ...(version === undefined ? {} : { version }),
    ...(agent === undefined ? {} : { agent }),
  };
  const socket = makeWASocket(config);
  // By default it keeps the last 512 texts, codes in them, and is asked before `getMessage`. What it counts stays on.
  const { messageRetryManager } = socket;
  if (!messageRetryManager) throw new Error('Baileys has no memory of messages to switch off.');
  messageRetryManager.addRecentMessage = () => {};
  return socket;
}
