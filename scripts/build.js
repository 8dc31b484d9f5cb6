// @ts-check
import { prepare } from './prepare.js';

await prepare({ dev: false });
