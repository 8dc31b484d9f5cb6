// @ts-check
import { prepare } from './prepare.js';

await prepare({ dev: true });
await import(new URL('../bench/bench.js', import.meta.url).href);
