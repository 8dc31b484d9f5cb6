import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApiClient } from '../../../cli/api-client.ts';
import { command, print, withApi } from '../../../cli/command.ts';
import { CommandError, RefusalError } from '../../../cli/command-error.ts';
import { writeLine } from '../../../lib/terminal.ts';
import { removingOnFailure, type Session, sessionPath } from './session.ts';

const POLL_MS = 1_000;
/** How long `--phone` waits before it asks for a code again, in ms, and how often it asks: about five minutes. */
const ASK_AGAIN_MS = 5_000;
const ASKS_MAX = 60;
const WORKING = ['open', 'degraded'];
const UNDER_WAY = ['pairing', 'connecting', 'reconnecting'];

/** So many looks without a QR code or a reason, and the person is told that something is wrong. */
const SILENT_LOOKS = 5;
const NO_ANSWER_YET =
  'WhatsApp has not answered yet. Check the internet connection of this machine. The server keeps trying, and this command waits.';

interface PairOptions {
  session?: string;
  name?: string;
  phone?: string;
  json?: boolean;
}

interface LinkingCode {
  code: string;
  expiresAt: string;
}

/** `wotp bot pair`: links a number, by QR code or by a code to type. */
export function botPairCommand(): Command {
  return command(
    'pair',
    'Link a number by QR code, or with --phone by a code to type',
    'wotp bot pair',
    'wotp bot pair --phone +6283834946034',
  )
    .option('--session <id>', 'a session that is not linked (default: a new one)')
    .option('--name <name>', 'a name for the new session')
    .option('--phone <number>', 'link this number by a code that is typed into the phone')
    .option('--json', 'print lines of JSON; the last is the session')
    .action((options: PairOptions) => withApi((api) => pair(api, options), { creates: true }));
}

/** Links a phone to a session. One that was created for it goes again when no phone was linked, whatever the reason. */
export async function pair(
  api: ApiClient,
  { session, name, phone, json, wait }: PairOptions & Pick<Following, 'wait'>,
): Promise<void> {
  const id = session ?? (await make(api, name, phone !== undefined));
  const link = async (signal?: AbortSignal) => {
    if (phone !== undefined) {
      const code = await askUntilReached(api, id, phone, { signal, wait });
      const words = `${code.code}\n\nOn the phone: WhatsApp, Linked devices, Link a device, Link with phone number instead.`;
      print(json, code, words);
    } else if (session !== undefined) await api.call('POST', `${sessionPath(id)}/restart`);
    return followLinking(api, id, { json, showsQr: phone === undefined, signal, wait });
  };
  const linked = session === undefined ? await removingOnFailure(api, id, link) : await link();
  print(json, linked, `${linked.phone} is linked as ${linked.id}.`);
}

async function make(api: ApiClient, name: string | undefined, byCode: boolean): Promise<string> {
  const body = { name, link: !byCode };
  return (await api.call<{ data: Session }>('POST', '/api/v1/bot/sessions', body)).data.id;
}

async function askForCode(api: ApiClient, id: string, phone: string): Promise<LinkingCode> {
  return (await api.call<{ data: LinkingCode }>('POST', `${sessionPath(id)}/pairing-code`, { phone })).data;
}

/**
 * As `askForCode`; while WhatsApp cannot be reached it says so and asks again, until it can.
 * @throws RefusalError when the code is refused for another reason, or WhatsApp was not reached in all that time
 */
export async function askUntilReached(
  api: ApiClient,
  id: string,
  phone: string,
  { signal, wait = () => sleep(ASK_AGAIN_MS) }: Pick<Following, 'signal' | 'wait'> = {},
): Promise<LinkingCode> {
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    try {
      return await askForCode(api, id, phone);
    } catch (error) {
      const isUnreached = error instanceof RefusalError && error.code === 'CHANNEL_UNAVAILABLE';
      if (!isUnreached || tries === ASKS_MAX) throw error;
      const { reason } = (await api.call<{ data: Session }>('GET', sessionPath(id))).data;
      writeLine(`${reason ?? error.message} Trying again (${tries} of ${ASKS_MAX - 1}).`, 'stderr');
      await wait();
    }
  }
}

interface Following {
  json: boolean | undefined;
  showsQr: boolean;
  /** Ends it, with its reason. */
  signal?: AbortSignal | undefined;
  /** Resolves when it is time to look again. */
  wait?: (() => Promise<unknown>) | undefined;
}

/**
 * Shows every QR code, and on standard error what holds the linking up, until the session is linked or has given up.
 * @throws CommandError with the reason when it has given up
 */
export async function followLinking(
  api: ApiClient,
  id: string,
  { json, showsQr, signal, wait = () => sleep(POLL_MS) }: Following,
): Promise<Session> {
  let shown = '';
  let hindrance: string | undefined;
  let told = '';
  let looks = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { data } = await api.call<{ data: Session }>('GET', sessionPath(id));
    if (WORKING.includes(data.state)) return data;
    if (!UNDER_WAY.includes(data.state)) {
      // That nobody has scanned is no reason where there was nothing to scan.
      const reason = showsQr && shown === '' ? (hindrance ?? data.reason) : data.reason;
      throw new CommandError(reason ?? 'The number was not linked.');
    }
    hindrance = data.reason ?? hindrance;
    looks += 1;
    const line =
      hindranceOf(data) ?? (looks === SILENT_LOOKS && showsQr && shown === '' ? NO_ANSWER_YET : undefined);
    if (line !== undefined && line !== told) {
      told = line;
      writeLine(line, 'stderr');
    }
    const qr = showsQr && data.state === 'pairing' ? await qrOf(api, id) : undefined;
    if (qr && qr.qr !== shown) {
      shown = qr.qr;
      const { qrForTerminal } = await import('../link/qr-image.ts');
      const hint = 'On the phone: WhatsApp, Linked devices, Link a device. Then scan this:';
      print(json, qr, `${hint}\n\n${await qrForTerminal(qr.qr)}`);
    }
    await wait();
  }
}

function hindranceOf({ reason, nextAttemptAt }: Session): string | undefined {
  if (reason === null) return undefined;
  return nextAttemptAt === null ? reason : `${reason} Next attempt: ${nextAttemptAt}.`;
}

async function qrOf(api: ApiClient, id: string): Promise<{ qr: string; expiresAt: string } | undefined> {
  try {
    return (await api.call<{ data: { qr: string; expiresAt: string } }>('GET', `${sessionPath(id)}/qr`)).data;
  } catch (error) {
    // Between one QR code and the next there is none.
    if (error instanceof RefusalError && error.code === 'RESOURCE_NOT_FOUND') return undefined;
    throw error;
  }
}
