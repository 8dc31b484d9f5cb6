import { displayName } from './display-name.ts';
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
    help: '`production` requires secrets and has no virtual phone.',
  }),
  publicUrl: webAddress({
    name: 'PUBLIC_URL',
    help: 'The address clients use; every link is built from it, never from a request.',
  }),
  brandName: displayName({
    name: 'BRAND_NAME',
    help: 'The name of your product, as the recipients of messages know it.',
  }),
  trustProxyHops: integer({
    name: 'TRUST_PROXY',
    min: 0,
    max: 10,
    fallback: 0,
    help: 'How many reverse proxies in front of the server report the address of the client.',
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
