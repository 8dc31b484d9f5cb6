import { backupsVariables } from './backups.ts';
import { botVariables } from './bot.ts';
import { channelsVariables } from './channels.ts';
import { cloudApiVariables } from './cloud-api.ts';
import { databaseVariables } from './database.ts';
import { emailVariables } from './email.ts';
import { limitsVariables } from './limits.ts';
import { loggingVariables } from './logging.ts';
import { metricsVariables } from './metrics.ts';
import { otpVariables } from './otp.ts';
import { providersVariables } from './providers.ts';
import { retentionVariables } from './retention.ts';
import { schedulerVariables } from './scheduler.ts';
import { securityVariables } from './security.ts';
import { serverVariables } from './server.ts';
import { simulatorVariables } from './simulator.ts';
import { webhooksVariables } from './webhooks.ts';

/** Every variable the server knows, in the order the documentation shows them. */
export const GROUPS = {
  server: serverVariables,
  security: securityVariables,
  database: databaseVariables,
  backups: backupsVariables,
  otp: otpVariables,
  limits: limitsVariables,
  scheduler: schedulerVariables,
  channels: channelsVariables,
  bot: botVariables,
  cloudApi: cloudApiVariables,
  providers: providersVariables,
  simulator: simulatorVariables,
  email: emailVariables,
  webhooks: webhooksVariables,
  retention: retentionVariables,
  metrics: metricsVariables,
  logging: loggingVariables,
};

/** What the documentation calls each group. */
export const TITLES: Record<keyof typeof GROUPS, string> = {
  server: 'Server',
  security: 'Security',
  database: 'Database',
  backups: 'Backups',
  otp: 'Codes',
  limits: 'Limits',
  scheduler: 'Scheduler',
  channels: 'Channels',
  bot: 'WhatsApp',
  cloudApi: 'WhatsApp Cloud API',
  providers: 'HTTP providers',
  simulator: 'Virtual phone',
  email: 'E-mail',
  webhooks: 'Webhooks',
  retention: 'Retention',
  metrics: 'Metrics',
  logging: 'Logs',
};
