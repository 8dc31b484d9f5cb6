import type { CommandList } from './cli/program.ts';

/** Every command, in the order of the help, with the file it is in. */
export const COMMANDS: CommandList = {
  serve: async () => (await import('./serve-command.ts')).serveCommand(),
  project: async () => (await import('./projects/cli.ts')).projectCommand(),
  settings: async () => (await import('./projects/settings-cli.ts')).settingsCommand(),
  token: async () => (await import('./keys/cli.ts')).tokenCommand(),
  template: async () => (await import('./templates/cli.ts')).templateCommand(),
  limits: async () => (await import('./otp/cli.ts')).limitsCommand(),
  logs: async () => (await import('./audit/cli.ts')).logsCommand(),
  'opt-outs': async () => (await import('./opt-outs/cli.ts')).optOutsCommand(),
  bulk: async () => (await import('./bulk/cli.ts')).bulkCommand(),
  webhook: async () => (await import('./webhooks/cli.ts')).webhookCommand(),
  analytics: async () => (await import('./analytics/cli.ts')).analyticsCommand(),
  backup: async () => (await import('./maintenance/cli/backup.ts')).backupCommand(),
  restore: async () => (await import('./maintenance/cli/restore.ts')).restoreCommand(),
  verify: async () => (await import('./maintenance/cli/verify.ts')).verifyCommand(),
  bot: async () => (await import('./channels/whatsapp/cli/bot.ts')).botCommand(),
  channel: async () => (await import('./channels/cli.ts')).channelCommand(),
  health: async () => (await import('./health/cli.ts')).healthCommand(),
  'master-key': async () => (await import('./maintenance/cli/master-key.ts')).masterKeyCommand(),
  migrate: async () => (await import('./maintenance/cli/migrate.ts')).migrateCommand(),
  compact: async () => (await import('./maintenance/cli/compact.ts')).compactCommand(),
  seed: async () => (await import('./demo/cli.ts')).seedCommand(),
  reset: async () => (await import('./maintenance/cli/reset.ts')).resetCommand(),
};
