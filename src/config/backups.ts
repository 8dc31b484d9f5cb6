import { cronPattern } from './cron-pattern.ts';
import { integer } from './variable.ts';

/** Backups that the server makes by itself. */
export const backupsVariables = {
  cron: cronPattern({
    name: 'BACKUP_CRON',
    defaultText: 'none are created automatically',
    help: 'When the server creates a backup in `$DATA_DIR/backups`, in the time zone of the server; `0 3 * * *` is every night at 3.',
  }),
  keep: integer({
    name: 'BACKUP_KEEP',
    min: 1,
    max: 10_000,
    fallback: 7,
    help: 'How many backups created by `BACKUP_CRON` are kept; older ones are removed.',
  }),
};
