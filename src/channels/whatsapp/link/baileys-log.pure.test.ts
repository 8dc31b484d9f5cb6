import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { baileysLog } from './baileys-log.ts';
import { quietLibsignal } from './quiet-libsignal.ts';

test('what Baileys logs keeps its sentence and cause, and loses objects and numbers', () => {
  const lines: string[] = [];
  const log = pino(
    { level: 'trace', base: null, timestamp: false },
    { write: (line: string) => void lines.push(line) },
  );
  let isOver = false;
  const baileys = baileysLog(log, 'ses_1', () => isOver).child();
  baileys.trace({ xml: '<secret/>' }, 'xml send');
  baileys.info({ creds: 'secret' }, 'logging in');
  baileys.error(
    { node: 'secret', err: new Error('no session for 4915112345678@s.whatsapp.net') },
    'cannot send',
  );
  baileys.warn('only a sentence about 4915112345678');
  baileys.warn('⚠️ DANGER: DISABLING ALL SYNC BY shouldSyncHistoryMsg PREVENTS …');
  isOver = true;
  baileys.error({ err: new Error('its keys are kept no more') }, 'failed to decrypt message');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 40, session: 'ses_1', cause: 'no session for …5678@s.whatsapp.net', msg: 'cannot send' },
    { level: 20, session: 'ses_1', msg: 'only a sentence about …5678' },
    { level: 20, session: 'ses_1', cause: 'its keys are kept no more', msg: 'failed to decrypt message' },
  ]);
  expect(baileys.level).toBe('warn');
});

test('libsignal is kept off the console, others are not, until the last one ends it', () => {
  const written = vi.spyOn(console, 'info').mockImplementation(() => {});
  const spied = console.info;
  const [endFirst, endSecond] = [quietLibsignal(), quietLibsignal()];
  // A function whose frame says that it lies in libsignal, as those of the library do.
  const inLibsignal = new Function(
    'console.info("Closing session:")\n//# sourceURL=/x/node_modules/libsignal/a.js',
  );
  const elsewhere = new Function('console.info("mine")\n//# sourceURL=/x/node_modules/other/a.js');
  inLibsignal();
  elsewhere();
  endFirst();
  endFirst();
  inLibsignal();
  expect(written.mock.calls).toEqual([['mine']]);
  endSecond();
  expect(console.info).toBe(spied);
  inLibsignal();
  expect(written.mock.calls).toEqual([['mine'], ['Closing session:']]);
  written.mockRestore();
});
