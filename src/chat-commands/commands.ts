import { maskEmail } from '../addresses/email.ts';
import { identityOf, maskPhone } from '../addresses/phone.ts';
import type { Database } from '../database/database.ts';
import { WotpError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import type { Logger } from '../lib/logger.ts';
import type { OtpService } from '../otp/service.ts';
import type { Verification } from '../otp/types.ts';
import { type CommandName, helpText, readCommandLine } from './command-line.ts';

/** Who writes a command, and to which project the number they write to belongs. */
interface Commander {
  projectId: number;
  /** E.164. */
  from: string;
}

/** The commands that administrators write to a linked number. */
export interface BotCommands {
  /** Carries out a command line and resolves to the answer, which never holds a code; undefined when it is none. */
  run(text: string, commander: Commander): Promise<string | undefined>;
}

const LISTED = 10;
const CLEARED_AT_ONCE = 200;

export function botCommands(deps: {
  otp: OtpService;
  database: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
  /** The state of the linked numbers and the queue, in a few lines. */
  statusText: () => string;
}): BotCommands {
  const { otp, database, events, clock, log, statusText } = deps;

  type Handler = (projectId: number, args: string[]) => Promise<string>;

  async function pendingOf(projectId: number, phone: string): Promise<Verification | undefined> {
    const { verifications } = await otp.list(projectId, { phone, status: 'pending' }, { limit: 1 });
    return verifications[0];
  }

  const NO_PENDING = 'There is no pending verification for this number.';

  const HANDLERS: Record<CommandName, Handler> = {
    help: async () => helpText(),
    ping: async () => 'pong',
    status: async () => statusText(),
    async sendotp(projectId, [phone = '', purpose = 'default']) {
      const { verification } = await database.transaction((trx) =>
        otp.send(trx, { projectId, phone, purpose, channel: 'auto' }),
      );
      return `Accepted: a code for ${maskPhone(verification.phone!)} (${verification.purpose}), valid until ${time(verification.expiresAt)}.`;
    },
    async verifyotp(projectId, [phone = '', code = '', purpose = 'default']) {
      await otp.verify({ projectId, phone, code, purpose });
      return 'The code is right; the number is verified.';
    },
    async resendotp(projectId, [phone = '']) {
      const pending = await pendingOf(projectId, phone);
      if (!pending) return NO_PENDING;
      await database.transaction((trx) => otp.resend(trx, projectId, pending.id));
      return 'Accepted: the code is sent again.';
    },
    async otpstatus(projectId, [phone = '']) {
      const { verifications } = await otp.list(projectId, { phone }, { limit: 1 });
      return verifications[0] ? lineOf(verifications[0]) : 'There is no verification for this number.';
    },
    listotps: (projectId) => listed(projectId, {}),
    searchotp: (projectId, [phone = '']) => listed(projectId, { phone }),
    async deleteotp(projectId, [phone = '']) {
      const pending = await pendingOf(projectId, phone);
      if (!pending) return NO_PENDING;
      await database.transaction((trx) => otp.cancel(trx, projectId, pending.id));
      return 'Canceled.';
    },
    async clearotps(projectId) {
      let canceled = 0;
      for (;;) {
        const { verifications } = await otp.list(
          projectId,
          { status: 'pending' },
          { limit: CLEARED_AT_ONCE },
        );
        if (verifications.length === 0) return `Canceled: ${canceled}.`;
        await database.transaction(async (trx) => {
          for (const { id } of verifications) await otp.cancel(trx, projectId, id);
        });
        canceled += verifications.length;
      }
    },
    async otpstats(projectId) {
      const counts = await otp.counts(projectId, clock.now() - DAY_MS);
      const lines = Object.entries(counts).map(([status, count]) => `${status}: ${count}`);
      return lines.length === 0 ? 'No verifications in the last 24 hours.' : lines.join('\n');
    },
  };

  async function listed(projectId: number, filter: { phone?: string }): Promise<string> {
    const { verifications } = await otp.list(projectId, filter, { limit: LISTED });
    return verifications.length === 0 ? 'There are no verifications.' : verifications.map(lineOf).join('\n');
  }

  return {
    async run(text, { projectId, from }) {
      const line = readCommandLine(text);
      if (!line) return undefined;
      if (line.name === undefined) return line.problem;
      const { name, args } = line;
      await database.transaction((trx) =>
        events.record(trx, {
          type: 'bot.command',
          projectId,
          data: { command: name, from: maskPhone(from) },
          by: { name: maskPhone(from), address: 'whatsapp' },
          phone: identityOf(from),
        }),
      );
      try {
        return await HANDLERS[name](projectId, args);
      } catch (error) {
        if (error instanceof WotpError) return error.message;
        log.error({ err: error, command: name }, 'a command failed');
        return 'Something went wrong. See the log of the server.';
      }
    },
  };
}

function lineOf({ phone, email, purpose, status, messageStatus, createdAt }: Verification): string {
  return `${time(createdAt)} ${phone === null ? maskEmail(email!) : maskPhone(phone)} (${purpose}): ${status}, message ${messageStatus}`;
}

function time(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}
