import {
  type AuthenticationState,
  type ConnectionState,
  DisconnectReason,
  initAuthCreds,
  makeWASocket,
  type SignalDataSet,
  type SignalDataTypeMap,
  type UserFacingSocketConfig,
  type WAMessage,
  type WASocket,
} from 'baileys';
import { pino } from 'pino';
import { makeChanges } from './changes.ts';
import type { Phone } from './phone.ts';

/** Baileys as it comes, with its state in memory: what the fake server is tried with. */
export interface BareBaileys {
  /** The newest socket; throws before the first one. */
  readonly socket: WASocket;
  /** Every connection update so far, oldest first. */
  readonly updates: readonly Partial<ConnectionState>[];
  /** The QR code it shows. */
  readonly qr: string | undefined;
  /** Whether the newest socket is open, and the status code with which it closed. */
  readonly open: boolean;
  readonly closeCode: number | undefined;
  /** Messages it has received, oldest first, those of its own account included. */
  readonly received: readonly WAMessage[];
  /** Every status that messages.update told of this message, oldest first. */
  statuses(id: string): number[];
  /** What stood beside the last status of this message. */
  details(id: string): string[];
  /** The raw acks of the server: the error code by message id; undefined without error. */
  readonly acks: ReadonlyMap<string, string | undefined>;
  /** Makes a new socket with the same state. */
  connect(): WASocket;
  /** Connects, pairs with the phone by QR code, follows the restart, and waits until it is open. */
  pair(phone: Phone): Promise<void>;
  /** Makes a new socket and waits until it is open. */
  reconnect(): Promise<void>;
  /** Sends a text and returns its id. */
  send(to: Phone | string, text: string, id?: string): Promise<string>;
  until(condition: () => boolean): Promise<void>;
  end(): void;
}

/** Options as an application sets them; the others may be given. */
export function bareBaileys(url: string, options: Partial<UserFacingSocketConfig> = {}): BareBaileys {
  const auth = memoryAuth();
  const changes = makeChanges();
  const updates: Partial<ConnectionState>[] = [];
  const received: WAMessage[] = [];
  const statuses = new Map<string, number[]>();
  const details = new Map<string, string[]>();
  const acks = new Map<string, string | undefined>();
  let socket: WASocket | undefined;
  let qr: string | undefined;
  let open = false;
  let closeCode: number | undefined;

  const connect = () => {
    open = false;
    closeCode = undefined;
    qr = undefined;
    socket = makeWASocket({
      auth,
      waWebSocketUrl: url,
      logger: pino({ level: 'silent' }),
      markOnlineOnConnect: false,
      syncFullHistory: false,
      shouldSyncHistoryMessage: () => false,
      emitOwnEvents: false,
      defaultQueryTimeoutMs: 5000,
      ...options,
    });
    socket.ev.on('connection.update', (update) => {
      updates.push(update);
      qr = update.qr ?? qr;
      if (update.connection === 'open') open = true;
      if (update.connection === 'close') {
        open = false;
        const error = update.lastDisconnect?.error as { output?: { statusCode: number } } | undefined;
        closeCode = error?.output?.statusCode;
      }
    });
    socket.ev.on('messages.upsert', ({ messages }) => {
      received.push(...messages);
    });
    socket.ev.on('messages.update', (messages) => {
      for (const { key, update } of messages) {
        if (update.status != null) statuses.set(key.id!, [...(statuses.get(key.id!) ?? []), update.status]);
        if (update.messageStubParameters) details.set(key.id!, update.messageStubParameters);
      }
    });
    // After the listeners above: looks again after every event, whatever it was.
    socket.ev.process(changes.changed);
    socket.ws.on('CB:ack,class:message', ({ attrs }: { attrs: { id: string; error?: string } }) => {
      acks.set(attrs.id, attrs.error);
      changes.changed();
    });
    return socket;
  };
  const reconnect = async () => {
    connect();
    await changes.until(() => open);
  };
  const current = () => {
    if (!socket) throw new Error('There is no socket yet; call connect().');
    return socket;
  };

  return {
    get socket() {
      return current();
    },
    updates,
    get qr() {
      return qr;
    },
    get open() {
      return open;
    },
    get closeCode() {
      return closeCode;
    },
    received,
    statuses: (id) => statuses.get(id) ?? [],
    details: (id) => details.get(id) ?? [],
    acks,
    connect,
    async pair(phone) {
      connect();
      await changes.until(() => qr !== undefined);
      await phone.scanQr(qr!);
      await changes.until(() => closeCode === DisconnectReason.restartRequired);
      await reconnect();
    },
    reconnect,
    async send(to, text, id) {
      const jid = typeof to === 'string' ? to : to.jid;
      const options = id === undefined ? {} : { messageId: id };
      const message = await current().sendMessage(jid, { text, linkPreview: null }, options);
      return message!.key.id!;
    },
    until: changes.until,
    end() {
      socket?.end(undefined);
    },
  };
}

function memoryAuth(): AuthenticationState {
  const stored = new Map<string, unknown>();
  return {
    creds: initAuthCreds(),
    keys: {
      get<Type extends keyof SignalDataTypeMap>(type: Type, ids: string[]) {
        const found: { [id: string]: SignalDataTypeMap[Type] } = {};
        for (const id of ids) {
          const value = stored.get(`${type} ${id}`);
          if (value !== undefined) found[id] = value as SignalDataTypeMap[Type];
        }
        return found;
      },
      set(data: SignalDataSet) {
        for (const [type, values] of Object.entries(data)) {
          for (const [id, value] of Object.entries(values)) {
            if (value === null) stored.delete(`${type} ${id}`);
            else stored.set(`${type} ${id}`, value);
          }
        }
      },
    },
  };
}
