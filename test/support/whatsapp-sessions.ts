import type { Agent } from 'node:https';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { troubleLog } from '../../src/background/troubles.ts';
import type { MessageText, Session, StateChange } from '../../src/channels/whatsapp/link/session.ts';
import { WhatsAppSessions } from '../../src/channels/whatsapp/link/sessions.ts';
import { type LatestVersion, webVersion } from '../../src/channels/whatsapp/link/web-version.ts';
import type { Database } from '../../src/database/database.ts';
import { openKeyring } from '../../src/database/keyring.ts';
import { DEFAULT_PROJECT } from '../../src/database/project.ts';
import { eventRecorder } from '../../src/events/record.ts';
import { ensureDefaultProject } from '../../src/projects/service.ts';
import { actorNamed } from './actors.ts';
import { type FakeWhatsApp, startFakeWhatsApp } from './fake-whatsapp/server.ts';
import { type TestClock, testClock } from './test-clock.ts';
import { openTestDatabase } from './test-database.ts';
import { MASTER_KEY } from './wodb.ts';

/** Sessions over a database of their own, talking to a fake WhatsApp, with a clock that the test moves. */
export interface SessionsUnderTest {
  sessions: WhatsAppSessions;
  whatsapp: FakeWhatsApp;
  database: Database;
  clock: TestClock;
  projectId: number;
  /** Every change of state so far, oldest first. */
  changes: (StateChange & { id: string })[];
  /** Every line the sessions logged. */
  logLines: string[];
  /** The session with this id, as it is driven. */
  session(id: string): Session;
  /** Makes a session and begins to link it; resolves to its id. */
  create(): Promise<string>;
  /**
   * Makes a session with the credentials of an earlier pairing with the phone of this number; resolves to its id once it
   * is open.
   */
  link(number: string): Promise<string>;
  /** Makes a session and links it to the phone with this number by QR code; resolves to its id once it is open. */
  linkByQr(number: string): Promise<string>;
  /** Waits until the session is in this state. */
  reaches(id: string, state: Session['state']): Promise<void>;
  /** Ends these sessions as if the process had died: nothing more is written. Resolves to those of the next process. */
  crash(): Promise<SessionsUnderTest>;
  /** Other sessions over the same database and the same WhatsApp, as another node runs them; by a clock of its own if given. */
  anotherNode(clock?: TestClock): Promise<SessionsUnderTest>;
  /** Ends the connection of this process to the database for as long as it is true. */
  isCutOff: boolean;
  /** The types of the events recorded so far, oldest first. */
  eventTypes(): Promise<string[]>;
}

export interface SessionsOptions {
  url?: string;
  mockMode?: boolean;
  pairingDigits?: string;
  /** Where the present version of WhatsApp Web is asked for. */
  latestVersion?: LatestVersion;
  messageText?: MessageText;
  random?: () => number;
  agentFor?: (proxy: string) => Agent;
  /** As where several nodes share one database. */
  isShared?: boolean;
}

/** Starts sessions; everything ends with the test. */
export async function startSessions(options: SessionsOptions = {}): Promise<SessionsUnderTest> {
  const whatsapp = await startFakeWhatsApp();
  onTestFinished(() => whatsapp.stop());
  const { database, close } = await openTestDatabase();
  onTestFinished(close);
  return over({ whatsapp, database, clock: testClock(), options });
}

async function over(parts: {
  whatsapp: FakeWhatsApp;
  database: Database;
  clock: TestClock;
  options: SessionsOptions;
}): Promise<SessionsUnderTest> {
  const { whatsapp, database, clock, options } = parts;
  const projectId = DEFAULT_PROJECT;
  await ensureDefaultProject({ database, clock });
  const logLines: string[] = [];
  // A crash is a process that writes no more, so the sessions get a database that can be taken from them.
  let isCutOff = false;
  const transaction: Database['transaction'] = (work) =>
    isCutOff ? Promise.reject(new Error('this process is dead')) : database.transaction(work);
  const own = new Proxy(database, {
    get: (target, name) => {
      if (name === 'transaction') return transaction;
      return name === 'isExclusive' ? !options.isShared : Reflect.get(target, name);
    },
  });
  const log = pino({ level: 'debug', base: null }, { write: (line: string) => void logLines.push(line) });
  const keyring = await openKeyring(database, MASTER_KEY, clock);
  const sessions = new WhatsAppSessions({
    database: own,
    keyring,
    events: eventRecorder(database, clock, keyring),
    clock,
    machineClock: clock,
    log,
    troubles: troubleLog({ log, clock }),
    version: webVersion({ pinned: undefined, latest: options.latestVersion, clock, log }),
    mockMode: false,
    url: whatsapp.url,
    agentFor: () => {
      throw new Error('no proxy is set');
    },
    random: () => 0,
    ...options,
  });
  onTestFinished(() => sessions.stop());
  const changes: (StateChange & { id: string })[] = [];
  sessions.on('state', ({ id }, change) => {
    changes.push({ id, ...change });
  });
  await sessions.start(projectId);
  const session = (id: string) => {
    const found = sessions.all().find((one) => one.id === id);
    if (!found) throw new Error(`This process does not drive ${id}.`);
    return found;
  };
  const make = async () => {
    const wanted = { projectId, name: null, proxy: null };
    const { id } = await database.transaction((trx) => sessions.create(trx, wanted, actorNamed('test')));
    return id;
  };
  const create = async () => {
    const id = await make();
    await sessions.beginLinking(projectId, id);
    return id;
  };
  const reaches = (id: string, state: Session['state']) => eventually(() => session(id).state === state);
  const isOpen = async (id: string, number: string) => {
    await reaches(id, 'open');
    await whatsapp.until(() => whatsapp.linked(number).online);
    return id;
  };

  return {
    sessions,
    whatsapp,
    database,
    clock,
    projectId,
    changes,
    logLines,
    session,
    create,
    async link(number) {
      const id = await make();
      await sessions.importFiles(
        projectId,
        id,
        whatsapp.phone(number).pairedEarlier().files,
        actorNamed('test'),
      );
      return isOpen(id, number);
    },
    async linkByQr(number) {
      const id = await create();
      await eventually(async () => (await sessions.qr(projectId, id)) !== undefined);
      const code = await sessions.qr(projectId, id);
      await whatsapp.phone(number).scanQr(code!.text);
      return isOpen(id, number);
    },
    reaches,
    async crash() {
      isCutOff = true;
      whatsapp.dropConnections();
      await sessions.stop();
      return over(parts);
    },
    anotherNode: (clock = parts.clock) => over({ ...parts, clock }),
    get isCutOff() {
      return isCutOff;
    },
    set isCutOff(value) {
      isCutOff = value;
    },
    async eventTypes() {
      const rows = await database.reader.selectFrom('events').select('type').orderBy('seq').execute();
      return rows.map(({ type }) => type);
    },
  };
}

/** Resolves as soon as the condition holds; rejects after 5 seconds. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`It never came to: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
