import { type Command, InvalidArgumentError } from 'commander';
import { command, print, settings, withApi } from '../cli/command.ts';
import { CommandError } from '../cli/command-error.ts';
import { showProgress } from '../cli/progress.ts';
import { counted } from '../lib/counted.ts';

interface Seeded {
  verifications: number;
  messages: number;
  events: number;
}

const COUNT_MAX = 1_000_000;
/** How many one request asks for. */
const PORTION = 500;

export function seedCommand(): Command {
  return command(
    'seed',
    'Fill the database with demo verifications; not in production',
    'wotp seed',
    'wotp seed --count 500',
  )
    .option('--count <number>', 'how many verifications, spread over the last two weeks', count, 1_000)
    .option('--yes', 'also when the database holds verifications already')
    .option('--json', 'print one line of JSON')
    .action(({ count: wanted, yes, json }: { count: number; yes?: boolean; json?: boolean }) => {
      if (settings().server.isProduction) {
        throw new CommandError(
          'Demo data is not allowed in production; nothing was changed. Use another data folder without NODE_ENV=production.',
        );
      }
      return withApi(
        async (api) => {
          const { data: present } = await api.call<{ data: unknown[] }>('GET', '/api/v1/otp?limit=1');
          if (present.length > 0 && !yes) {
            throw new CommandError(
              'The database already contains verifications, and demo data would be mixed with them. To continue, add --yes.',
            );
          }
          const made: Seeded = { verifications: 0, messages: 0, events: 0 };
          const progress = showProgress('seeding', json);
          try {
            while (made.verifications < wanted) {
              const body = { count: Math.min(PORTION, wanted - made.verifications) };
              const { data } = await api.call<{ data: Seeded }>('POST', '/api/v1/database/demo-data', body);
              made.verifications += data.verifications;
              made.messages += data.messages;
              made.events += data.events;
              progress.reach((100 * made.verifications) / wanted);
            }
          } finally {
            progress.end();
          }
          print(
            json,
            made,
            `Created ${counted(made.verifications, 'verification')} with ${counted(made.messages, 'message')} and ${counted(made.events, 'event')}.`,
          );
        },
        { creates: true },
      );
    });
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d{1,7}$/.test(text) || value < 1 || value > COUNT_MAX) {
    throw new InvalidArgumentError(`Allowed: a whole number from 1 to ${COUNT_MAX}.`);
  }
  return value;
}
