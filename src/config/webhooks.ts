import { isAddressOrBlock } from '../lib/internet-address.ts';
import { boolean, list, type Variable } from './variable.ts';

const ENTRIES_MAX = 20;
const WAIT_MAX_SECONDS = 7 * 24 * 60 * 60;

const retrySeconds: Variable<readonly number[]> = {
  name: 'WEBHOOK_RETRY_SECONDS',
  help: 'Seconds before each attempt to deliver a webhook, the first included; up to a tenth is added at random.',
  allowed: `1 to ${ENTRIES_MAX} whole numbers from 0 to ${WAIT_MAX_SECONDS}, separated by commas`,
  fallback: [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
  defaultText: '0,5,300,1800,7200,18000,36000,50400,72000,86400',
  secret: false,
  parse(given) {
    const waits = given.split(',').map((entry) => entry.trim());
    const areWaits = waits.every((wait) => /^\d{1,7}$/.test(wait) && Number(wait) <= WAIT_MAX_SECONDS);
    return areWaits && waits.length <= ENTRIES_MAX ? waits.map(Number) : undefined;
  },
};

const url: Variable<string | undefined> = {
  name: 'WEBHOOK_URL',
  help: 'A webhook endpoint of the default project that gets every event, as in v3; needs WEBHOOK_ENABLED.',
  allowed: 'an http or https address without user and password, such as https://app.example.com/webhooks',
  fallback: undefined,
  defaultText: '',
  secret: false,
  parse(given) {
    if (!URL.canParse(given.trim())) return undefined;
    const { protocol, username, password, href } = new URL(given.trim());
    return /^https?:$/.test(protocol) && username === '' && password === '' ? href : undefined;
  },
};

/** Requests that report events to the endpoints of projects. */
export const webhooksVariables = {
  enabled: boolean({
    name: 'WEBHOOK_ENABLED',
    fallback: false,
    help: 'Whether events are sent to WEBHOOK_URL. Endpoints that were created over the API do not depend on it.',
  }),
  url,
  allowedAddresses: list({
    name: 'WEBHOOK_ALLOWED_ADDRESSES',
    allowed: 'IP addresses and CIDR blocks, separated by commas, such as 10.0.0.5,fd00::/8',
    help: 'Internal addresses that webhook endpoints may be at, at any port; all others are refused.',
    parseEntry: (entry) => (isAddressOrBlock(entry) ? entry : undefined),
  }),
  retrySeconds,
};
