import { integer, oneOf } from './variable.ts';
import { host, origins, webAddress } from './web-address.ts';

/** Where the server listens and who may reach it. */
export const serverVariables = {
  port: integer({
    name: 'PORT',
    min: 0,
    max: 65_535,
    fallback: 3000,
    help: 'The TCP port to listen on; 0 takes any free one.',
  }),
  host: host({
    name: 'HOST',
    fallback: '127.0.0.1',
    help: 'The address to listen on; 0.0.0.0 is every IPv4 address of the machine.',
  }),
  environment: oneOf({
    name: 'NODE_ENV',
    values: ['development', 'production', 'test'],
    fallback: 'development',
    help: 'How strict to be: production refuses to start without secrets and never imitates a phone.',
  }),
  publicUrl: webAddress({
    name: 'PUBLIC_URL',
    help: 'The address people reach this server by; every link is built from it, never from a request.',
  }),
  trustProxyHops: integer({
    name: 'TRUST_PROXY',
    min: 0,
    max: 10,
    fallback: 0,
    help: 'How many reverse proxies stand in front and may tell the address of a client.',
  }),
  keepAliveSeconds: integer({
    name: 'KEEP_ALIVE_SECONDS',
    min: 1,
    max: 3600,
    fallback: 75,
    help: 'How long a connection without a request stays open; longer than your load balancer keeps its own.',
  }),
  corsOrigins: origins({
    name: 'CORS_ORIGINS',
    help: 'The web pages that may call the API from a browser; none when unset.',
  }),
};
