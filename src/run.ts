import type { Server as HttpServer } from 'node:http';
import type { Core } from './core.ts';
import type { Feature } from './feature.ts';
import type { Authentication } from './http/caller.ts';
import { closeServer } from './http/close.ts';
import { connectionRegistry } from './http/connections.ts';
import { listenOnControlSocket, prepareControlSocket, removeControlSocket } from './http/control-socket.ts';
import { collectRoutes, serveDocs } from './http/docs.ts';
import { hostCheck } from './http/host-check.ts';
import { servePages } from './http/pages.ts';
import { createServer } from './http/server.ts';
import { VERSION } from './lib/version.ts';
import { requestLimiter } from './limits/request-limits.ts';

const UNREAD_SWEEP_MS = 1_000;

/** What runs features. */
export interface Parts {
  /** In the order in which their work starts; it stops in reverse. */
  features: readonly Feature[];
  authentication: Authentication;
  /** The number of a project by its id; administrators may name one. */
  projectNumberOf: (id: string) => Promise<number | undefined>;
  /** Makes `core.stopping` true. */
  beginStop: () => void;
}

/**
 * Puts the routes of all features on one server, and starts and stops their work: the only place that knows of start,
 * stop, server and control socket.
 */
export async function runner(core: Core, parts: Parts) {
  const { config, clock, log, troubles, database, stopping, publicUrl } = core;
  const { dataDir } = config.database;
  const { features, authentication, projectNumberOf, beginStop } = parts;
  const connections = connectionRegistry(clock);
  const server = await createServer({
    log,
    troubles,
    authentication,
    limiter: requestLimiter(core.counters, config.limits, (id) => core.settings.of(id).keyRequests, clock),
    connections,
    projectNumberOf,
    isStopping: () => stopping.aborted,
    trustProxyHops: config.server.trustProxyHops,
    keepAliveSeconds: config.server.keepAliveSeconds,
    corsOrigins: config.server.corsOrigins,
    secure: publicUrl?.protocol === 'https:',
    hostCheck: hostCheck({ host: config.server.host, publicUrl, isKey: authentication.isKey }),
  });
  await collectRoutes(server, VERSION);
  for (const { routes } of features) routes?.(server);
  serveDocs(server, config.server.publicUrl);
  servePages(server);

  const work = [
    core.every(UNREAD_SWEEP_MS, 'dropping clients that do not read', connections.dropUnread),
    ...features.flatMap((feature) => feature.work ?? []),
  ];
  let control: HttpServer | undefined;
  let stopped: Promise<void> | undefined;

  /** Answers the command line only, on the control socket, whose path it resolves to. */
  async function listenForCommands(): Promise<string> {
    const socketPath = await prepareControlSocket(dataDir);
    await server.ready();
    control = await listenOnControlSocket(server, socketPath, connections);
    return socketPath;
  }

  async function endCommands(): Promise<void> {
    if (!control) return;
    // Before it closes: then the place is still ours for certain.
    removeControlSocket(dataDir);
    await new Promise((resolve) => control?.close(resolve));
  }

  async function stop(): Promise<void> {
    beginStop();
    await endCommands();
    await closeServer(server);
    for (const each of work.toReversed()) await each.stop();
    await database.close();
  }

  return {
    server,
    listenForCommands,

    /** Begins the work and listens; resolves to the address. */
    async start(): Promise<string> {
      for (const each of work) await each.start();
      await listenForCommands();
      const address = await server.listen({ host: config.server.host, port: config.server.port });
      for (const each of work) await each.whenListening?.();
      return address;
    },

    /** Finishes what runs and closes everything. Safe to call twice. */
    stop(): Promise<void> {
      stopped ??= stop();
      return stopped;
    },
  };
}
