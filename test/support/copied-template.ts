import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** A data folder as a server leaves it that has been started and stopped, before its first run. */
    templateFolder: string;
  }
}

const FILES = ['master.key', 'wotp.keycheck', 'wotp.wodb'];

/** Makes a new folder one in which a server has been started and stopped, as the template was. */
export function copyTemplateTo(dir: string): void {
  const template = inject('templateFolder');
  for (const name of FILES) copyFileSync(join(template, name), join(dir, name));
}
