import type { Server as HttpServer } from 'node:http';
import { backgroundWork } from './background.ts';
import { channelSelection } from './channels/selection.ts';
import { simulatorFaults } from './channels/simulator/faults.ts';
import { arrivedRepository } from './channels/simulator/repository.ts';
import { simulatorRoutes } from './channels/simulator/routes.ts';
import { Simulator } from './channels/simulator/simulator.ts';
import { WhatsAppChannel } from './channels/whatsapp/channel.ts';
import { botCommands } from './channels/whatsapp/commands.ts';
import { listenForInbound } from './channels/whatsapp/inbound.ts';
import { baileysProblem } from './channels/whatsapp/library.ts';
import { numberDirectory } from './channels/whatsapp/number-directory.ts';
import { proxyAgent } from './channels/whatsapp/proxy-agent.ts';
import { messageRecipients } from './channels/whatsapp/recipients.ts';
import { whatsappRoutes } from './channels/whatsapp/routes.ts';
import { WhatsAppSessions } from './channels/whatsapp/sessions.ts';
import { statusText } from './channels/whatsapp/status-text.ts';
import { latestWebVersion, webVersion } from './channels/whatsapp/web-version.ts';
import { messageIdOf, messageIdOfCode } from './channels/whatsapp/wire-id.ts';
import type { Config } from './config/config.ts';
import { openKeyring } from './database/keyring.ts';
import { openDatabase } from './database/open.ts';
import { migrationRoutes } from './database/routes.ts';
import { wodbMaintenance } from './database/wodb/maintenance.ts';
import { isWodb } from './database/wodb/open.ts';
import { databaseRoutes } from './database/wodb/routes.ts';
import { demoRoutes } from './demo/routes.ts';
import { eventRecorder } from './events/record.ts';
import type { WotpEvent } from './events/types.ts';
import { v3Logs } from './events/v3-logs.ts';
import { type FirstRun, makeFirstRun } from './first-run.ts';
import { INVARIANTS } from './health/invariants.ts';
import { healthRoutes } from './health/routes.ts';
import { SEALED_VALUES } from './health/sealed-values.ts';
import { healthService } from './health/service.ts';
import { authenticator } from './http/authentication.ts';
import { closeServer } from './http/close.ts';
import { connectionRegistry } from './http/connections.ts';
import { listenOnControlSocket, prepareControlSocket, removeControlSocket } from './http/control-socket.ts';
import { collectRoutes, serveDocs } from './http/docs.ts';
import { hostCheck } from './http/host-check.ts';
import { idempotency } from './http/idempotency.ts';
import { servePages } from './http/pages.ts';
import { requestLimiter } from './http/request-limits.ts';
import { createServer } from './http/server.ts';
import { adminService } from './keys/admin.ts';
import { GUESS_WINDOW_MAX_MS } from './keys/guess-limits.ts';
import { keyRoutes } from './keys/routes.ts';
import { keyService } from './keys/service.ts';
import { sessionRoutes } from './keys/session-routes.ts';
import { v3Routes } from './keys/v3-routes.ts';
import { v3Tokens } from './keys/v3-tokens.ts';
import { type Clock, systemClock } from './lib/clock.ts';
import type { Logger } from './lib/logger.ts';
import { identityOf } from './lib/phone.ts';
import { sharedClock } from './lib/shared-clock.ts';
import { troubleLog } from './lib/troubles.ts';
import { openCounters } from './limits/counters.ts';
import { limitRoutes } from './limits/routes.ts';
import { Dispatcher } from './messages/dispatcher.ts';
import { messageService } from './messages/service.ts';
import { optOutRoutes } from './opt-outs/routes.ts';
import { suppression } from './opt-outs/suppression.ts';
import { phoneReader } from './otp/phone-reader.ts';
import { otpRoutes } from './otp/routes.ts';
import { otpService } from './otp/service.ts';
import { PROGRAM } from './program.ts';
import { projectService } from './projects/service.ts';
import { compaction } from './retention/compaction.ts';
import { retention } from './retention/retention.ts';
import { compactionRoutes } from './retention/routes.ts';
import { VERSION } from './version.ts';

export interface AppOptions {
  config: Config;
  log: Logger;
  /** Called when the disk failed to keep what was written; the process has to end with an error. */
  onFatal: (error: Error) => void;
  clock?: Clock;
}

export type App = Awaited<ReturnType<typeof buildApp>>;

/**
 * The whole application, put together: read it from top to bottom to see its parts. Server, command line and tests
 * all begin here. Nothing runs before `start`.
 */
export async function buildApp({ config, log, onFatal, clock: givenClock }: AppOptions) {
  const { dataDir } = config.database;
  const { mockMode } = config.bot;
  const publicUrl = config.server.publicUrl === undefined ? undefined : new URL(config.server.publicUrl);
  const secure = publicUrl?.protocol === 'https:';

  const { database, masterKey } = await openDatabase(config, onFatal);
  try {
    const { sharedTime } = database;
    const machineClock = givenClock ?? systemClock();
    const shared = sharedTime && !givenClock ? await sharedClock(machineClock, sharedTime) : undefined;
    const clock = shared ?? machineClock;
    const keyring = await openKeyring(database, masterKey, clock, (purpose, context) =>
      log.error({ purpose, context }, 'a sealed value does not open: it is damaged, or was moved'),
    );
    const events = eventRecorder(database, clock);
    const troubles = troubleLog({ log, clock });
    const projects = projectService({ database, clock });
    const defaultProjectId = await projects.ensureDefault();

    const longestWindowMs = Math.max(config.limits.windowMs, GUESS_WINDOW_MAX_MS);
    const counters = await openCounters(database, clock, longestWindowMs);
    const keys = keyService({ database, events, clock, serverLimit: config.limits.maxRequests });
    const audit = (event: WotpEvent) =>
      database
        .transaction((trx) => events.record(trx, event))
        .then(
          () => troubles.succeeded('recording an event'),
          (error: unknown) => troubles.failed('recording an event', error, { fields: { event: event.type } }),
        );
    const admin = adminService({
      database,
      keyring,
      clock,
      counters,
      configuredPassword: config.security.masterPassword,
      failuresMax: config.limits.signInFailures,
      onWrong: (address) =>
        audit({ type: 'admin.sign_in_failed', projectId: defaultProjectId, data: { address } }),
    });

    const libraryProblem = mockMode ? undefined : baileysProblem();
    if (libraryProblem !== undefined) log.warn(libraryProblem);
    const { socketUrl, usePairingCode, pairingNumber } = config.bot;
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
    const messages = messageService({ database, keyring, events, clock });
    const faults = simulatorFaults();
    const optOuts = suppression(database);
    const directory = numberDirectory(database, clock);
    const recipients = messageRecipients({ phoneOf: messages.phoneOf, directory });
    const { sendRate, sendBurst, dailyCap, warmUp, codeMessage, checkNumbers } = config.bot;
    const whatsapp = new WhatsAppChannel({
      sessions,
      directory,
      recipients,
      checkNumbers,
      pacing: { ratePerSecond: sendRate, burst: sendBurst, dailyCap, warmUp },
      codeOf: codeMessage ? (messageId) => messages.liveCode(messageId) : undefined,
      database,
      clock,
      log,
      troubles,
    });
    const channels = mockMode
      ? [new Simulator({ database, clock, faults, ...config.simulator })]
      : libraryProblem === undefined
        ? [whatsapp]
        : [];
    const readPhone = phoneReader(config.otp);
    // The operator's own numbers need not be among those that codes are sent to.
    const readAnyPhone = phoneReader({ ...config.otp, countriesAllowed: [], countriesDenied: [] });
    const otp = otpService({
      database,
      keyring,
      events,
      messages,
      clock,
      readPhone,
      selectChannel: channelSelection(channels, mockMode, {
        libraryProblem,
        isLinked: (projectId) => sessions.isLinked(projectId),
        isAbsent: (phone) => directory.isAbsent(phone),
      }),
      isOptedOut: optOuts.isSuppressed,
      rules: {
        ...config.otp,
        phoneLimits: {
          gapMs: config.otp.resendSeconds * 1000,
          per10Minutes: config.limits.phonePer10Minutes,
          perDay: config.limits.phonePerDay,
        },
        spread: { perClientIp: config.limits.sendsPerClientIp, perPrefix: config.limits.sendsPerPrefix },
      },
    });
    const dispatcher = new Dispatcher({
      messages,
      channels,
      clock,
      log,
      isOptedOut: (projectId, phone) => optOuts.isSuppressed(database.reader, projectId, identityOf(phone)),
      troubles,
      onUndeliverable: (trx, message, reason) => otp.onUndeliverable(trx, message, reason),
    });
    const maintenance = isWodb(database)
      ? wodbMaintenance({
          database,
          keyring,
          invariants: INVARIANTS,
          sealedValues: SEALED_VALUES,
          clock,
          folder: config.backups.folder,
          record: (type, data) => audit({ type, projectId: defaultProjectId, data }),
        })
      : undefined;
    if (!mockMode) {
      listenForInbound({
        sessions,
        suppression: optOuts,
        directory,
        commands: botCommands({
          otp,
          database,
          events,
          clock,
          log,
          statusText: () => statusText(sessions.all(), whatsapp, dispatcher.inFlight),
          wakeDispatcher: () => dispatcher.wake(),
        }),
        adminNumbers: config.bot.adminNumbers,
        database,
        events,
        clock,
        troubles,
      });
    }
    const health = healthService({
      database,
      keyring,
      dispatcher,
      clock,
      dataDir,
      mockMode,
      whatsapp: sessions,
      version: VERSION,
      backups: maintenance?.backups,
      backupsAreScheduled: config.backups.cron !== undefined,
    });

    const connections = connectionRegistry(clock);
    const server = await createServer({
      log,
      troubles,
      keys,
      authentication: authenticator({
        keys,
        admin,
        defaultProjectId,
        audit,
        publicUrl,
      }),
      limiter: requestLimiter(counters, config.limits, clock),
      connections,
      projectExists: projects.exists,
      isStopping: health.isStopping,
      trustProxyHops: config.server.trustProxyHops,
      keepAliveSeconds: config.server.keepAliveSeconds,
      corsOrigins: config.server.corsOrigins,
      secure,
      hostCheck: hostCheck({ host: config.server.host, publicUrl, keys }),
    });
    const stopSignal = new AbortController();
    const once = idempotency({ database, keyring, clock });
    const keeping = retention({
      database,
      clock,
      otp,
      messages,
      arrived: arrivedRepository(database),
      events,
      forgetAnswers: once.forget,
      rules: config.retention,
    });
    await collectRoutes(server, VERSION);
    otpRoutes(server, {
      otp,
      database,
      health,
      runOnce: once.runOnce,
      wakeDispatcher: () => dispatcher.wake(),
    });
    keyRoutes(server, { keys, clock, runOnce: once.runOnce });
    v3Routes(server, {
      tokens: v3Tokens({ database, events, clock }),
      logs: v3Logs({ database, clock }),
      runOnce: once.runOnce,
    });
    sessionRoutes(server, { admin, database, events, defaultProjectId, publicUrl });
    limitRoutes(server, { otp, database, onLifted: (phone) => directory.forgetAbsence(phone) });
    databaseRoutes(server, { maintenance, runLongOnce: once.runLongOnce });
    whatsappRoutes(server, { sessions, senders: whatsapp, readPhone: readAnyPhone, runOnce: once.runOnce });
    optOutRoutes(server, {
      suppression: optOuts,
      database,
      events,
      clock,
      readPhone: readAnyPhone,
      runOnce: once.runOnce,
    });
    if (mockMode) simulatorRoutes(server, { database, messages, faults, readPhone });
    migrationRoutes(server, database);
    compactionRoutes(server, {
      compaction: compaction({ database, clock, keeping, signal: stopSignal.signal }),
      database,
      events,
    });
    if (!config.server.isProduction)
      demoRoutes(server, { database, events, keyring, clock, runLongOnce: once.runLongOnce });
    healthRoutes(server, health);
    serveDocs(server, config.server.publicUrl);
    servePages(server);

    const writeCounts = async () => {
      await counters.flush();
      await keys.flushUsage();
    };
    const background = backgroundWork({
      clock,
      troubles,
      otp,
      writeCounts,
      purge: async () => {
        await keeping.purge(stopSignal.signal);
        await counters.purge(longestWindowMs);
      },
      dropUnread: connections.dropUnread,
      shared,
      maintenance,
      backups: config.backups,
    });
    let control: HttpServer | undefined;
    const listenForCommands = async (): Promise<string> => {
      const socketPath = await prepareControlSocket(dataDir);
      await server.ready();
      control = await listenOnControlSocket(server, socketPath, connections);
      return socketPath;
    };
    const endCommands = async () => {
      if (!control) return;
      // Before it closes: then the place is still ours for certain.
      removeControlSocket(dataDir);
      await new Promise((resolve) => control?.close(resolve));
    };
    let stopping: Promise<void> | undefined;

    const stop = async () => {
      health.beginStop();
      stopSignal.abort();
      // First, as who has asked for a backup still waits for the answer.
      await maintenance?.stop();
      await endCommands();
      await closeServer(server);
      await dispatcher.stop();
      await sessions.stop();
      for (const work of background) await work.stop();
      await writeCounts().catch((error: unknown) =>
        log.error({ err: error }, 'request counts were not written'),
      );
      await database.close();
    };

    return {
      config,
      clock,
      database,
      server,
      health,
      /** Undefined on PostgreSQL. */
      maintenance,
      defaultProjectId,
      keys,
      admin,
      otp,
      messages,

      /** The channels that reach a person at the moment. */
      channelsInUse: (): string[] => (!mockMode && sessions.isLinked(defaultProjectId) ? ['whatsapp'] : []),

      /** Why no channel reaches a person, and what to do; undefined when one does. */
      whyNoChannel(): string | undefined {
        if (mockMode) return 'only the virtual phone is there (BOT_MOCK_MODE=false sends real messages)';
        if (libraryProblem !== undefined || sessions.isLinked(defaultProjectId)) return libraryProblem;
        return `no WhatsApp number is linked. Link one with \`${PROGRAM} bot pair\``;
      },

      /** Makes what the first run makes; undefined on every later one. */
      firstRun: (): Promise<FirstRun | undefined> =>
        makeFirstRun({
          database,
          admin,
          keys,
          clock,
          projectId: defaultProjectId,
          passwordIsConfigured: config.security.masterPassword !== undefined,
        }),

      /** Begins the background work and, as the running server, listens; resolves to the address it listens on. */
      async start(): Promise<string> {
        // Where no other process can hold a claim, those that are left are a dead one's.
        if (database.isExclusive) {
          await messages.recoverClaims(Number.POSITIVE_INFINITY);
          if (await otp.expireIfClockWasSetBack())
            log.warn('the clock was set back while no server ran; codes that were pending have expired');
        }
        await dispatcher.start();
        await sessions.start(defaultProjectId);
        for (const work of background) work.start();
        await listenForCommands();
        return server.listen({ host: config.server.host, port: config.server.port });
      },

      /** Answers the command line only, on the control socket, whose path it resolves to. */
      listenForCommands,

      /** Finishes what runs and closes everything. Safe to call twice. */
      stop(): Promise<void> {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
