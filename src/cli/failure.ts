import { ConfigError } from '../config/config.ts';
import { ExpectedError } from '../lib/expected-error.ts';
import { systemErrorText } from '../lib/system-error.ts';
import { RefusalError } from './command-error.ts';

/** What a person reads when a command has failed: for an expected failure its sentence, else the whole error. */
export function failure(error: unknown): string {
  if (error instanceof ConfigError)
    return ['WOTP cannot start:', ...error.problems.map((line) => `  ${line}`)].join('\n');
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `wotp: ${sentenceOf(error) ?? stack}`;
}

/** The same for a program; `code` is that of the API, null where the API has not refused. */
export function failureAsJson(error: unknown): object {
  const { code, words } =
    error instanceof RefusalError
      ? error
      : { code: null, words: sentenceOf(error) ?? (error instanceof Error ? error.message : String(error)) };
  return { error: { code, message: words } };
}

/** The sentence of an expected failure; undefined for every other. */
function sentenceOf(error: unknown): string | undefined {
  if (error instanceof ExpectedError) return error.message;
  return whyItCannotListen(error) ?? systemErrorText(error);
}

type NetworkError = NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string };

/** What to do about HOST and PORT; undefined when it is not they that keep the server from listening. */
function whyItCannotListen(error: unknown): string | undefined {
  const { code = '', syscall, address, port = 0, hostname } = error as NetworkError;
  const elsewhere = 'Set HOST to an address of this machine, or to 0.0.0.0 for all of them.';
  if (code === 'EADDRINUSE') return `${address}:${port} is in use. Stop what listens there, or set PORT.`;
  if (code === 'EADDRNOTAVAIL') return `HOST: ${address} is not an address of this machine. ${elsewhere}`;
  if (syscall === 'getaddrinfo')
    return `HOST: the name ${hostname} cannot be resolved (${code}). ${elsewhere}`;
  if (code === 'EACCES' && syscall === 'listen' && port > 0)
    return `PORT: WOTP is not permitted to listen on ${address}:${port}. Set PORT to one above 1023.`;
  return undefined;
}
