// @ts-check
import { requireOpenFiles } from '../bin/open-files.js';

requireOpenFiles();
const { prepare } = await import('./prepare.js');
await prepare({ dev: false });
// In this process, not in a child, so that the signals that stop the server reach it.
await import(new URL('../dist/main.js', import.meta.url).href);
