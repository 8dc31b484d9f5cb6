import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { ConflictError, ValidationError, WotpError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { seal, unseal } from '../lib/seal.ts';

/** How long an answer is kept for repetition, in ms. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/** An answer of a route that makes something. */
export interface Answer<Body> {
  status: number;
  body: Body;
}

/**
 * Runs a request's effect in one transaction, sets the answer's status and resolves with its body. With an `Idempotency-Key` the answer is
 * stored by the same transaction, so that a repetition gets it again and has no second effect
 * (draft-ietf-httpapi-idempotency-key-header).
 */
export type RunOnce = <Body>(
  request: FastifyRequest,
  reply: Pick<FastifyReply, 'header'> & { statusCode: number },
  effect: (trx: Transaction) => Promise<Answer<Body>>,
) => Promise<Body>;

export function idempotency(deps: { database: Database; keyring: Keyring; clock: Clock }) {
  const { database, keyring, clock } = deps;
  const running = new Set<string>();

  async function replayOrRun<Body>(
    trx: Transaction,
    scope: string,
    request: FastifyRequest,
    effect: (trx: Transaction) => Promise<Answer<Body>>,
  ): Promise<Answer<Body> & { replayed: boolean }> {
    const now = clock.now();
    // The request may be running in another process.
    if (!(await database.trySerialize(trx, scope))) throw stillRunning();
    await trx
      .deleteFrom('idempotency_keys')
      .where('scope', '=', scope)
      .where('created_at', '<=', now - KEPT_MS)
      .execute();
    const stored = await trx
      .selectFrom('idempotency_keys')
      .selectAll()
      .where('scope', '=', scope)
      .executeTakeFirst();
    if (stored) {
      const fingerprint = fingerprintOf(request, stored.key_version);
      if (!timingSafeEqual(fingerprint, stored.fingerprint)) {
        throw new WotpError(
          'IDEMPOTENCY_MISMATCH',
          'This Idempotency-Key was used for a request with another body.',
        );
      }
      const answer = unseal(keyring.key('idempotency', stored.key_version), stored.answer, scope);
      return { status: stored.status, body: JSON.parse(answer) as Body, replayed: true };
    }
    const answer = await effect(trx);
    await trx
      .insertInto('idempotency_keys')
      .values({
        scope,
        fingerprint: fingerprintOf(request, keyring.version),
        status: answer.status,
        answer: seal(keyring.key('idempotency'), JSON.stringify(answer.body), scope),
        key_version: keyring.version,
        created_at: now,
      })
      .execute();
    return { ...answer, replayed: false };
  }

  function fingerprintOf(request: FastifyRequest, version: number): Buffer {
    const key = keyring.key('idempotency', version);
    return createHmac('sha256', key)
      .update(`${request.method} ${request.url}\n${canonical(request.body)}`)
      .digest();
  }

  const runOnce: RunOnce = async (request, reply, effect) => {
    const key = readKey(request.headers['idempotency-key']);
    if (key === undefined) {
      const { status, body } = await database.transaction(effect);
      reply.statusCode = status;
      return body;
    }
    const route = `${request.method} ${request.routeOptions.url}`;
    const scope = hash('sha256', JSON.stringify([request.projectId, request.caller.name, route, key]), 'hex');
    if (running.has(scope)) throw stillRunning();
    running.add(scope);
    try {
      const { status, body, replayed } = await database.transaction((trx) =>
        replayOrRun(trx, scope, request, effect),
      );
      if (replayed) reply.header('idempotency-replayed', 'true');
      reply.statusCode = status;
      return body;
    } finally {
      running.delete(scope);
    }
  };

  return {
    runOnce,
    /** Deletes up to `limit` answers that are kept no longer, the oldest first; resolves to how many went. */
    async forget(trx: Transaction, limit: number): Promise<number> {
      const removed = await trx
        .deleteFrom('idempotency_keys')
        .where('scope', 'in', (eb) =>
          eb
            .selectFrom('idempotency_keys')
            .select('scope')
            .where('created_at', '<=', clock.now() - KEPT_MS)
            .orderBy('created_at')
            .limit(limit),
        )
        .returning('scope')
        .execute();
      return removed.length;
    },
  };
}

function stillRunning(): ConflictError {
  return new ConflictError(
    'The first request with this Idempotency-Key is still running.',
    'IDEMPOTENCY_IN_PROGRESS',
  );
}

/** The key in the header: a quoted string (RFC 9651) or the bare text, which are the same key. */
function readKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header).trim();
  const key = text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(key)) {
    throw new ValidationError('The Idempotency-Key is malformed.', [
      {
        path: 'Idempotency-Key',
        message: '1 to 255 visible ASCII characters without quotes and backslashes.',
      },
    ]);
  }
  return key;
}

/** JSON in which the order of members does not matter. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? '';
}
