#!/usr/bin/env node
// @ts-check
import { existsSync } from 'node:fs';
import { requireOpenFiles } from './open-files.js';
import { requireWorkingFolder } from './working-folder.js';

requireOpenFiles();
requireWorkingFolder();
const preparation = new URL('../scripts/prepare.js', import.meta.url);
// Only a checkout has it; an installed package comes built.
if (existsSync(preparation)) {
  const { prepare } = await import(preparation.href);
  await prepare({ dev: false });
}
await import(new URL('../dist/wotp.js', import.meta.url).href);
