import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { ConflictError, ValidationError, WotpError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { seal } from '../lib/seal.ts';

/** How long an answer is kept for repetition, in ms. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/** An answer of a route that makes something. */
export interface Answer<Body> {
  status: number;
  body: Body;
}

type Replayable<Body> = Answer<Body> & { replayed: boolean };

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

/**
 * As `RunOnce`, for work that takes long and whose effect is not in the database, such as a file: a repetition is 409
 * while it runs, and gets its answer again afterwards. The answer is stored when the work is done, so after a crash
 * between the two a repetition does the work again.
 */
export type RunLongOnce = <Body>(
  request: FastifyRequest,
  reply: Parameters<RunOnce>[1],
  work: () => Promise<Answer<Body>>,
) => Promise<Body>;

/** What a request needs before its transaction can begin. */
interface Prepared<Body> {
  effect(trx: Transaction): Promise<Answer<Body>>;
  /** Clears up what was prepared, whatever came of it. */
  end(): Promise<void>;
}

/** As `RunOnce`, for an effect that takes long to prepare: a repetition prepares nothing, so that nothing can refuse it. */
export type RunPreparedOnce = <Body>(
  request: FastifyRequest,
  reply: Parameters<RunOnce>[1],
  prepare: () => Promise<Prepared<Body>>,
) => Promise<Body>;

/** Runs requests that carry an Idempotency-Key once. */
export type Idempotency = ReturnType<typeof idempotency>;

export function idempotency(deps: { database: Database; keyring: Keyring; clock: Clock }) {
  const { database, keyring, clock } = deps;
  const running = new Set<string>();

  /** The answer that is kept for a request; undefined when there is none. */
  async function keptAnswer<Body>(
    trx: Transaction,
    scope: string,
    request: FastifyRequest,
  ): Promise<Answer<Body> | undefined> {
    // The request may be running in another process.
    if (!(await database.trySerialize(trx, scope))) throw stillRunning();
    await trx
      .deleteFrom('idempotency_keys')
      .where('scope', '=', scope)
      .where('created_at', '<=', clock.now() - KEPT_MS)
      .execute();
    const stored = await trx
      .selectFrom('idempotency_keys')
      .selectAll()
      .where('scope', '=', scope)
      .executeTakeFirst();
    if (!stored) return undefined;
    const { answer: value, key_version: version } = stored;
    const answer = keyring.open('idempotency', { value, version, context: scope });
    if (answer === undefined) {
      throw new ConflictError(
        'The answer to the first request with this Idempotency-Key can no longer be read. Check what that request did, and use another Idempotency-Key.',
      );
    }
    if (!timingSafeEqual(fingerprintOf(request, version), stored.fingerprint)) {
      throw new WotpError(
        'IDEMPOTENCY_MISMATCH',
        'This Idempotency-Key was used for a request with another body.',
      );
    }
    return { status: stored.status, body: JSON.parse(answer) as Body };
  }

  async function keep(
    trx: Transaction,
    scope: string,
    request: FastifyRequest,
    answer: Answer<unknown>,
  ): Promise<void> {
    await trx
      .insertInto('idempotency_keys')
      .values({
        scope,
        fingerprint: fingerprintOf(request, keyring.version),
        status: answer.status,
        answer: seal(keyring.key('idempotency'), JSON.stringify(answer.body), scope),
        key_version: keyring.version,
        created_at: clock.now(),
      })
      .execute();
  }

  async function replayOrRun<Body>(
    trx: Transaction,
    scope: string,
    request: FastifyRequest,
    effect: (trx: Transaction) => Promise<Answer<Body>>,
  ): Promise<Replayable<Body>> {
    const kept = await keptAnswer<Body>(trx, scope, request);
    if (kept) return { ...kept, replayed: true };
    const answer = await effect(trx);
    await keep(trx, scope, request, answer);
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
    return alone(request, reply, key, (scope) =>
      database.transaction((trx) => replayOrRun(trx, scope, request, effect)),
    );
  };

  const runLongOnce: RunLongOnce = async <Body>(
    request: FastifyRequest,
    reply: Parameters<RunOnce>[1],
    work: () => Promise<Answer<Body>>,
  ) => {
    const key = readKey(request.headers['idempotency-key']);
    if (key === undefined) {
      const { status, body } = await work();
      reply.statusCode = status;
      return body;
    }
    return alone(request, reply, key, async (scope): Promise<Replayable<Body>> => {
      const kept = await database.transaction((trx) => keptAnswer<Body>(trx, scope, request));
      if (kept) return { ...kept, replayed: true };
      const answer = await work();
      await database.transaction((trx) => keep(trx, scope, request, answer));
      return { ...answer, replayed: false };
    });
  };

  const runPreparedOnce: RunPreparedOnce = async <Body>(
    request: FastifyRequest,
    reply: Parameters<RunOnce>[1],
    prepare: () => Promise<Prepared<Body>>,
  ) => {
    const key = readKey(request.headers['idempotency-key']);
    const run = async <Result>(
      carryOut: (trx: Transaction, effect: Prepared<Body>['effect']) => Promise<Result>,
    ): Promise<Result> => {
      const { effect, end } = await prepare();
      try {
        return await database.transaction((trx) => carryOut(trx, effect));
      } finally {
        await end();
      }
    };
    if (key === undefined) {
      const { status, body } = await run((trx, effect) => effect(trx));
      reply.statusCode = status;
      return body;
    }
    return alone(request, reply, key, async (scope): Promise<Replayable<Body>> => {
      const kept = await database.transaction((trx) => keptAnswer<Body>(trx, scope, request));
      if (kept) return { ...kept, replayed: true };
      return run((trx, effect) => replayOrRun(trx, scope, request, effect));
    });
  };

  /** Runs a request while no other of this process with its key does, and answers it. */
  async function alone<Body>(
    request: FastifyRequest,
    reply: Parameters<RunOnce>[1],
    key: string,
    run: (scope: string) => Promise<Replayable<Body>>,
  ): Promise<Body> {
    const route = `${request.method} ${request.routeOptions.url}`;
    const asked = [request.publicProjectId, request.caller.name, route, key];
    const scope = hash('sha256', JSON.stringify(asked), 'hex');
    if (running.has(scope)) throw stillRunning();
    running.add(scope);
    try {
      const { status, body, replayed } = await run(scope);
      if (replayed) reply.header('idempotency-replayed', 'true');
      reply.statusCode = status;
      return body;
    } finally {
      running.delete(scope);
    }
  }

  return {
    runOnce,
    runLongOnce,
    runPreparedOnce,
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
    const message =
      'The header `Idempotency-Key` must be 1 to 255 visible ASCII characters without quotes and backslashes.';
    throw new ValidationError(message, [{ path: 'Idempotency-Key', message }]);
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
