import { createHmac, type KeyObject } from 'node:crypto';
import { idOfContent } from '../lib/id.ts';
import { macOfLine } from './audit-chain.js';
import type { Transaction } from './database.ts';

/** Who does something, and from where: what the audit log keeps of both. */
export interface Actor {
  /** The id of an API key, `admin`, `cli`, `server` … */
  readonly name: string;
  /** The client address, `local` for this machine, or the way it came (`whatsapp`). */
  readonly address: string;
}

/** The server itself, as the one who acts. */
export const SERVER: Actor = { name: 'server', address: 'local' };

/** The command line on the machine of the database, where no server runs. */
export const COMMAND_LINE: Actor = { name: 'cli', address: 'local' };

/** The values of something before and after an act: only those that the act has changed. */
export interface Change {
  readonly before?: Readonly<Record<string, unknown>> | undefined;
  readonly after?: Readonly<Record<string, unknown>> | undefined;
}

/** An administrative act, as it is written into the events and the audit log. */
export interface NewAct extends Change {
  /** Null for an act on the installation. */
  projectId: number | null;
  type: string;
  /** Unix ms. */
  at: number;
  subject: string | null;
  data: Readonly<Record<string, unknown>>;
  by: Actor;
  /** The identity of the phone that it concerns. */
  phone?: string | undefined;
}

/** What of the keyring the audit log needs. */
export interface AuditKeys {
  readonly version: number;
  key(purpose: 'audit', version?: number): KeyObject;
}

/** The identity of a phone as the audit log keeps it. */
export function phoneInAudit(key: KeyObject, identity: string): string {
  return createHmac('sha256', key).update(`phone ${identity}`).digest('hex');
}

/** Writes an act into the events and the audit log. */
export async function insertAct(trx: Transaction, keys: AuditKeys, act: NewAct): Promise<void> {
  const { projectId: project_id, type, at, subject, by, before, after } = act;
  const event = await trx
    .insertInto('events')
    .values({ project_id, type, at, subject, data: JSON.stringify({ ...act.data, actor: by.name }) })
    .returning(['seq', 'epoch', 'tx'])
    .executeTakeFirstOrThrow();
  const key = keys.key('audit');
  const line = {
    seq: event.seq,
    id: idOfEvent(at, `${event.epoch}.${event.tx}.${event.seq}`, type),
    project_id,
    type,
    at,
    actor: by.name,
    address: by.address,
    subject,
    phone: act.phone === undefined ? null : phoneInAudit(key, act.phone),
    data: JSON.stringify({ ...act.data, before, after }),
    key_version: keys.version,
  };
  await trx
    .insertInto('audit_log')
    .values({ ...line, mac: macOfLine(key, line), position: null, hash: null })
    .execute();
}

/** The id of an event (`evt_…`), by its time (Unix ms) and its cursor: always the same for the same event. */
export function idOfEvent(at: number, cursor: string, type: string): string {
  return idOfContent('evt', at, `${cursor} ${type}`);
}
