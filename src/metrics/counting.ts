import type { FastifyInstance } from 'fastify';
import { ERROR_CODES } from '../errors/codes.ts';
import { WotpError } from '../errors/errors.ts';
import type { WotpEvent } from '../events/types.ts';
import type { Clock } from '../lib/clock.ts';
import { timeOfId } from '../lib/id.ts';
import type { Outcome } from '../webhooks/deliveries.ts';
import type { Metrics } from './registry.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts the requests of a server by their route, and its refusals by their code. */
export function countRequests(server: FastifyInstance, metrics: Metrics): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { url, config } = request.routeOptions;
    // A stream lasts as long as its client likes.
    if (config.readingMaxMs !== Number.POSITIVE_INFINITY) {
      const labels = {
        http_request_method: METHODS.has(request.method) ? request.method : '_OTHER',
        // A path that no route has may be anything.
        http_route: url ?? '',
        http_response_status_code: String(reply.statusCode),
      };
      metrics.observe('http_server_request_duration_seconds', labels, reply.elapsedTime / 1_000);
    }
    done();
  });
  server.addHook('onError', (_request, _reply, error, done) => {
    const code = error instanceof WotpError ? error.code : codeOf(error.statusCode);
    metrics.count('wotp_refusals_total', { code });
    done();
  });
}

/** The code of an error that the framework made. */
function codeOf(status = 500): string {
  if (status >= 500) return 'INTERNAL_ERROR';
  const first = Object.entries(ERROR_CODES).find(([, entry]) => entry.status === status);
  return first?.[0] ?? 'VALIDATION_ERROR';
}

/** Counts what comes of attempts to deliver webhooks. */
export function countAttempts(metrics: Metrics) {
  return ({ attempt, status }: Outcome): void => {
    if (!attempt) return;
    const isAnswered = attempt.status !== null;
    const result = status === 'delivered' ? 'accepted' : isAnswered ? 'rejected' : 'unanswered';
    metrics.count('wotp_webhook_attempts_total', { result });
    if (isAnswered) metrics.observe('wotp_webhook_attempt_seconds', {}, attempt.durationMs / 1_000);
    if (status !== 'pending') metrics.count('wotp_webhook_deliveries_total', { status });
  };
}

/** Counts what events report. */
export function countEvents(metrics: Metrics, clock: Clock) {
  return (event: WotpEvent): void => {
    const { type } = event;
    if ('verificationId' in event) {
      const { channel } = event;
      metrics.count('wotp_verifications_total', { channel, status: type.slice('otp.'.length) });
    } else if ('messageId' in event) {
      const { channel, messageId } = event;
      metrics.count('wotp_messages_total', { channel, status: type.slice('message.'.length) });
      if (type === 'message.delivered') {
        const ms = Math.max(0, clock.now() - timeOfId('msg', messageId));
        metrics.observe('wotp_message_delivery_seconds', { channel }, ms / 1_000);
      }
    }
  };
}
