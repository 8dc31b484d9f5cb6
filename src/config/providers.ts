import { isAddressOrBlock } from '../lib/internet-address.ts';
import { list, path } from './variable.ts';

/** Providers of SMS and other messages that are reached over HTTP. */
export const providersVariables = {
  file: path({
    name: 'PROVIDERS_FILE',
    help: 'The JSON file that describes HTTP providers for the channels `sms` and `http` (docs/PROVIDERS.md).',
  }),
  allowedAddresses: list({
    name: 'PROVIDERS_ALLOWED_ADDRESSES',
    allowed: 'IP addresses and CIDR blocks, separated by commas, such as 10.0.0.5,fd00::/8',
    help: 'Internal addresses that HTTP providers may be at, at any port; all others are refused.',
    parseEntry: (entry) => (isAddressOrBlock(entry) ? entry : undefined),
  }),
};
