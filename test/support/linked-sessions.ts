import { EventEmitter } from 'node:events';
import type { WASocket } from 'baileys';
import type {
  Session,
  SessionEvents,
  SessionState,
  Sessions,
} from '../../src/channels/whatsapp/link/session.ts';
import { type BareBaileys, bareBaileys } from './fake-whatsapp/bare-baileys.ts';
import type { FakeWhatsApp } from './fake-whatsapp/server.ts';

/** A number that is linked by bare Baileys, and what a test does with its connection. */
interface LinkedSession extends Session {
  readonly bot: BareBaileys;
  linkedAt: number;
  /** Says that the session is in this state now. */
  enter(state: SessionState): void;
  /** Ends the connection and makes a new one. */
  reconnect(): Promise<void>;
}

/** Sessions without any care for their connections: what sends is tried with them, apart from what links. */
export interface LinkedSessions extends Sessions {
  all(): readonly LinkedSession[];
  /** Pairs a number with the fake WhatsApp and opens its connection. */
  link(number: string): Promise<LinkedSession>;
  end(): void;
}

export function linkedSessions(whatsapp: FakeWhatsApp): LinkedSessions {
  const sessions: LinkedSession[] = [];
  const emitter = new EventEmitter().setMaxListeners(0);
  const emit = <E extends keyof SessionEvents>(event: E, ...args: SessionEvents[E]) =>
    emitter.emit(event, ...args);

  return {
    isReady: true,
    holds: async () => true,
    all: () => sessions,
    on: (event, listener) => void emitter.on(event, listener as (...args: unknown[]) => void),
    async start() {},
    async stop() {},
    end() {
      for (const { bot } of sessions) bot.end();
    },
    async link(number) {
      const bot = bareBaileys(whatsapp.url);
      let state: SessionState = 'new';
      let socket: WASocket | undefined;
      const session: LinkedSession = {
        id: `ses_${sessions.length + 1}`,
        projectId: 1,
        number,
        linkedAt: 0,
        bot,
        get state() {
          return state;
        },
        get socket() {
          return socket;
        },
        enter(to) {
          const from = state;
          state = to;
          emit('state', session, { from, to, reason: null, nextAttemptAt: null });
        },
        async reconnect() {
          await bot.reconnect();
          opened();
        },
      };
      const opened = () => {
        const current = bot.socket;
        socket = current;
        session.enter('open');
        emit('open', session, current);
        current.ev.on('connection.update', ({ connection }) => {
          if (connection !== 'close' || socket !== current) return;
          socket = undefined;
          session.enter('reconnecting');
          emit('closed', session);
        });
      };
      sessions.push(session);
      await bot.pair(whatsapp.phone(number));
      const device = whatsapp.linked(number);
      await whatsapp.until(() => device.online);
      opened();
      return session;
    },
  };
}
