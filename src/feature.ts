import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import type { Work } from './background/work.ts';
import type { Transaction } from './database/database.ts';

/** One portion of what is kept no longer. */
interface Forgotten {
  /** How much was deleted, by what it is: `{ verifications: 50, messages: 61 }`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Whether there may be more. */
  readonly more: boolean;
}

/** Data that is deleted when they are old; the retention runs it every 10 minutes, `compact` when asked. */
export interface Keep {
  /** Deletes one portion, oldest first: few enough rows that nobody notices the wait. */
  forgetSome(trx: Transaction): Promise<Forgotten>;
}

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

/** What a check found. Everybody may read it, so it holds no secret. */
export interface Check {
  readonly status: HealthStatus;
  /** What is wrong and what to do; absent where nothing is. */
  readonly detail?: string;
  readonly [figure: string]: unknown;
}

/** An entry of the health report. */
export interface HealthCheck {
  /** Its name in the report. */
  readonly name: string;
  /** What the entry holds beside `status` and `detail`, for the OpenAPI document. */
  readonly schema?: z.ZodRawShape;
  /** Undefined where there is nothing to check in this configuration. */
  run(): Check | undefined | Promise<Check | undefined>;
}

/** A capability of the product: what its factory gives to the application beside its service. */
export interface Feature {
  readonly name: string;
  /** Adds its routes; each names its access, and one that does not stops the start. */
  readonly routes?: (server: FastifyInstance) => void;
  /** What runs in the background: started in this order, stopped in reverse. */
  readonly work?: readonly Work[];
  readonly keeps?: readonly Keep[];
  readonly checks?: readonly HealthCheck[];
  /** Numbers for the metrics, read when they are asked for. */
  readonly figures?: () => Readonly<Record<string, number>>;
}
