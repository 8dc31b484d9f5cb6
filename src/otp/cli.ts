import type { Command } from 'commander';
import { command, print, withApi } from '../cli/command.ts';

interface LimitState {
  phone: string;
  messagesLast10Minutes: number;
  messagesLastDay: number;
  failedChecksLastDay: number;
  guessesRemaining: number;
  guessesRemainingUnknownClient: number;
  nextSendAt: string | null;
}

export function limitsCommand(): Command {
  const limits = command(
    'limits',
    'Show and clear the limits of a phone number',
    'wotp limits show +6283834946034',
    'wotp limits clear +6283834946034',
  );

  limits.addCommand(
    command(
      'show',
      'Show what a phone number has used of its limits',
      'wotp limits show +6283834946034',
      'wotp limits show +6283834946034 --json',
    )
      .argument('<phone>', 'the number, with its country code')
      .option('--json', 'print one line of JSON')
      .action((phone: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: LimitState }>(
            'GET',
            `/api/v1/limits/${encodeURIComponent(phone)}`,
          );
          print(
            json,
            data,
            [
              `${data.phone}`,
              `  messages in the last 10 minutes  ${data.messagesLast10Minutes}`,
              `  messages in the last 24 hours    ${data.messagesLastDay}`,
              `  wrong codes in the last 24 hours ${data.failedChecksLastDay}`,
              `  guesses left                     ${data.guessesRemaining}`,
              `  of them for unknown clients      ${data.guessesRemainingUnknownClient}`,
              `  next message allowed             ${data.nextSendAt ?? 'now'}`,
            ].join('\n'),
          );
        }),
      ),
  );

  limits.addCommand(
    command(
      'clear',
      'Clear what blocks a phone number',
      'wotp limits clear +6283834946034',
      'wotp limits clear +6283834946034 --json',
    )
      .argument('<phone>', 'the number, with its country code')
      .option('--json', 'print one line of JSON')
      .action((phone: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: { id: string } }>(
            'DELETE',
            `/api/v1/limits/${encodeURIComponent(phone)}`,
          );
          print(json, { phone: data.id }, `The limits of ${data.id} are cleared.`);
        }),
      ),
  );
  return limits;
}
