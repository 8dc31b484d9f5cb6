import type { OwnServer } from './cli/api-client.ts';
import type { Config } from './config/config.ts';

/** The application in this process, for commands that find no running server. Loaded only then: it takes a moment. */
export async function ownServer(config: Config): Promise<OwnServer> {
  const { buildApp } = await import('./app.ts');
  const { openLog } = await import('./lib/logger.ts');
  const { log } = openLog({ level: 'silent', dir: undefined });
  return buildApp({
    config,
    log,
    onFatal: (error) => {
      throw error;
    },
  });
}
