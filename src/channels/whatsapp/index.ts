import { z } from 'zod';
import type { Core } from '../../core.ts';
import { DEFAULT_PROJECT } from '../../database/project.ts';
import type { Feature } from '../../feature.ts';
import { DAY_MS } from '../../lib/duration.ts';
import { PROGRAM } from '../../lib/program.ts';
import type { MessagesFeature } from '../../messages/index.ts';
import { baileysProblem } from './link/library.ts';
import { proxyAgent } from './link/proxy-agent.ts';
import { WhatsAppSessions } from './link/sessions.ts';
import { latestWebVersion, webVersion } from './link/web-version.ts';
import { whatsappRoutes } from './routes.ts';
import { WhatsAppChannel } from './send/channel.ts';
import { forgetContacts } from './send/contacts.ts';
import { numberDirectory } from './send/number-directory.ts';
import { messageRecipients } from './send/recipients.ts';
import { messageIdOf, messageIdOfCode } from './send/wire-id.ts';

/** Rows of a kind that one portion deletes. */
const PORTION = 200;

/** The linked WhatsApp numbers: linking them, and sending over them. */
export function whatsappFeature(core: Core, others: { messages: MessagesFeature }) {
  const { config, database, keyring, events, settings, clock, machineClock, log, troubles } = core;
  const messages = others.messages.service;
  const { mockMode, socketUrl, usePairingCode, pairingNumber } = config.bot;
  const libraryProblem = mockMode ? undefined : baileysProblem();
  if (libraryProblem !== undefined) log.warn(libraryProblem);

  const directory = numberDirectory(database, clock);
  const recipients = messageRecipients({ phoneOf: messages.addressOf, directory });
  const sessions = new WhatsAppSessions({
    database,
    keyring,
    events,
    clock,
    machineClock,
    log,
    troubles,
    mockMode,
    libraryProblem,
    url: socketUrl,
    version: webVersion({
      pinned: config.bot.webVersion,
      latest: config.bot.webVersionRefresh ? latestWebVersion : undefined,
      clock,
      log,
    }),
    pairingDigits: usePairingCode ? pairingNumber?.slice(1) : undefined,
    agentFor: (proxy) => proxyAgent(proxy, !socketUrl?.startsWith('ws:')),
    messageText: async (wireId, number) => {
      const ofCode = messageIdOfCode(wireId);
      const messageId = ofCode ?? messageIdOf(wireId);
      if (messageId === undefined || !(await recipients.isTo(messageId, number))) return undefined;
      return ofCode === undefined ? messages.liveText(messageId) : messages.liveCode(messageId);
    },
  });
  const { codeMessage, checkNumbers } = config.bot;
  const channel = new WhatsAppChannel({
    sessions,
    directory,
    recipients,
    checkNumbers,
    settings,
    codeOf: codeMessage ? (messageId) => messages.liveCode(messageId) : undefined,
    database,
    clock,
    log,
    troubles,
  });
  const isLinked = () => !mockMode && sessions.status.isLinked(DEFAULT_PROJECT);

  return {
    name: 'whatsapp',
    sessions,
    channel,
    directory,
    isLinked,
    /** Whether the channel can be used at all; without its library it cannot. */
    isUsable: libraryProblem === undefined,
    /** What is known of WhatsApp without asking it. */
    knowledge: {
      libraryProblem,
      isLinked: (projectId: number) => sessions.status.isLinked(projectId),
      isSetUp: (projectId: number) => sessions.status.isSetUp(projectId),
    },
    /** The state of each session, and its sending health (0 to 100) where it has any. */
    overview: () =>
      sessions.status.states.map(({ id, state }) => ({ state, score: channel.sender(id)?.health.score })),
    /** Why it reaches nobody, and what to do; undefined when it does. */
    whyNotLinked(): string | undefined {
      if (mockMode) return 'messages go to the virtual phone (set BOT_MOCK_MODE=false to send real ones)';
      if (libraryProblem !== undefined || isLinked()) return libraryProblem;
      return `no WhatsApp number is linked. Link one with \`${PROGRAM} bot pair\``;
    },
    routes: (server) =>
      whatsappRoutes(server, {
        sessions,
        senders: channel,
        settings,
        runOnce: core.idempotency.runOnce,
      }),
    work: [{ start: () => sessions.start(DEFAULT_PROJECT), stop: () => sessions.stop() }],
    keeps: [
      {
        async forgetSome(trx) {
          const { contactDays } = config.retention;
          if (contactDays === 0) return { counts: {}, more: false };
          const now = clock.now();
          const portion = { before: now - contactDays * DAY_MS, now, limit: PORTION };
          return { counts: {}, more: await forgetContacts(trx, portion) };
        },
      },
    ],
    checks: [
      {
        name: 'whatsapp',
        schema: { connected: z.boolean(), mode: z.literal('mock').optional() },
        run() {
          if (mockMode) return { status: 'healthy', connected: false, mode: 'mock' };
          // Nobody misses a number that no send would use.
          const order = settings.of(DEFAULT_PROJECT).channelOrder;
          const isUsed = order === undefined || order.includes('whatsapp');
          const detail = isUsed ? sessions.status.problem : undefined;
          const status = detail === undefined ? 'healthy' : 'degraded';
          return { status, connected: sessions.status.isConnected, ...(detail !== undefined && { detail }) };
        },
      },
    ],
  } satisfies Feature & Record<string, unknown>;
}

export type WhatsAppFeature = ReturnType<typeof whatsappFeature>;
