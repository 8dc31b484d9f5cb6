import type { Command } from 'commander';
import { command, print } from '../../../cli/command.ts';
import { RefusalError } from '../../../cli/command-error.ts';
import { isOnItsWay, sendingServer, sendTestMessage } from '../../../cli/test-message.ts';
import { PROGRAM } from '../../../lib/program.ts';
import { NO_NUMBER } from '../no-number.ts';

/** `wotp bot send`: a code to a number of one's own, to see that sending works. */
export function botSendCommand(): Command {
  return command(
    'send',
    'Send a code to a number to test sending; needs the running server',
    'wotp bot send +6283834946034',
    'wotp bot send +6283834946034 --message "Your code for Acme: {{code}}"',
  )
    .argument('<phone>', 'the number, with its country code')
    .option('--message <text>', 'a text of your own, with {{code}} in it')
    .option('--json', 'print one line of JSON')
    .action(async (given: string, { message, json }: { message?: string; json?: boolean }) => {
      const api = await sendingServer();
      const body = { phone: given, channel: 'whatsapp', purpose: 'bot-send', message };
      const sent = await sendTestMessage(api, body).catch((error: unknown) => {
        throw withWayOn(error);
      });
      const { id, messageId, phone, channel, messageStatus, reason } = sent;
      const where = channel === 'simulator' ? 'on the virtual phone (mock mode)' : 'over WhatsApp';
      const words = `The message to ${phone} ${where} is ${messageStatus}.${reason ? ` ${reason}` : ''}`;
      print(json, { id, messageId, phone, channel, messageStatus, reason }, words);
      if (!isOnItsWay(sent)) process.exitCode = 1;
    });
}

/** Says how to link a number where that is what is missing. */
function withWayOn(error: unknown): unknown {
  if (!(error instanceof RefusalError) || error.words !== NO_NUMBER) return error;
  return new RefusalError({
    code: error.code,
    detail: `${NO_NUMBER} Link one with \`${PROGRAM} bot pair\`.`,
  });
}
