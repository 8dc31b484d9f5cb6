import { oneOf, path } from './variable.ts';

/** What is written down, and where. */
export const loggingVariables = {
  level: oneOf({
    name: 'LOG_LEVEL',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    fallback: 'info',
    help: 'The lowest level that is written to the log.',
  }),
  dir: path({
    name: 'LOG_DIR',
    defaultText: 'standard output only',
    help: 'The folder for log files.',
  }),
};
