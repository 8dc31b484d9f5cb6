import { backupsVariables } from './backups.ts';
import { botVariables } from './bot.ts';
import { databaseVariables } from './database.ts';
import { limitsVariables } from './limits.ts';
import { loggingVariables } from './logging.ts';
import { otpVariables } from './otp.ts';
import { retentionVariables } from './retention.ts';
import { securityVariables } from './security.ts';
import { serverVariables } from './server.ts';
import { simulatorVariables } from './simulator.ts';

/** Every variable the server knows, in the order the documentation shows them. */
export const GROUPS = {
  server: serverVariables,
  security: securityVariables,
  database: databaseVariables,
  backups: backupsVariables,
  otp: otpVariables,
  limits: limitsVariables,
  bot: botVariables,
  simulator: simulatorVariables,
  retention: retentionVariables,
  logging: loggingVariables,
};
