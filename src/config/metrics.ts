import { secret } from './secret.ts';

/** Metrics for Prometheus. */
export const metricsVariables = {
  token: secret({
    name: 'METRICS_TOKEN',
    minLength: 24,
    // It travels in the Authorization header.
    allowed: 'a text of 24 characters or more, of letters, digits and -._~+/= only',
    accepts: (given) => /^[\w.~+/=-]+$/.test(given),
    help: 'The token that Prometheus sends to `GET /metrics` (`Authorization: Bearer …`); without it only this machine may read them, and in production nobody.',
  }),
};
