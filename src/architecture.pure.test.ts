import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('.', import.meta.url));

/**
 * The folders from the ground up. What is in a line may import what is in the lines before it, and nothing else: so no
 * import runs upwards, and there is no circle.
 */
const LEVELS = [
  ['lib'],
  ['errors'],
  ['background', 'addresses'],
  ['config'],
  ['database'],
  ['events'],
  ['http'],
  ['limits'],
  ['settings'],
  ['cli'],
  // What every feature stands on.
  ['feature.ts'],
  ['core.ts'],
  ['admin'],
  ['keys'],
  ['opt-outs'],
  ['messages'],
  ['channels/simulator', 'channels/whatsapp', 'channels/cloud-api', 'channels/email', 'channels/http'],
  ['channels'],
  ['projects'],
  ['templates', 'test-numbers'],
  ['otp'],
  ['audit'],
  ['scheduler'],
  ['analytics', 'bulk', 'chat-commands', 'v3', 'demo', 'event-stream', 'stats', 'webhooks'],
  ['maintenance'],
  ['health', 'metrics'],
  // The program itself: the list of features and that of commands, and what starts and stops them.
  ['first-run.ts', 'run.ts'],
  ['app.ts'],
  ['banner.ts', 'own-server.ts'],
  ['serve.ts'],
  ['serve-command.ts'],
  ['main.ts', 'commands.ts'],
  ['wotp.ts'],
];
const FEATURES_BEGIN = LEVELS.findIndex(([first]) => first === 'admin');

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
  /(?<!\.test)\.[jt]s$/.test(file),
);

/** The imports of a file, those that are loaded later too. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path]) =>
    relative(SRC, join(SRC, dirname(file), path!)),
  );
}

/** The folder, or the file beside the folders, that a file belongs to. */
function placeOf(file: string): string {
  const [first = '', second = '', third] = file.split('/');
  return first === 'channels' && third !== undefined ? `${first}/${second}` : first;
}

const levelOf = (place: string) => LEVELS.findIndex((places) => places.includes(place));

const arrows = files.flatMap((from) => importsOf(from).map((to) => ({ from, to })));

describe('the source', () => {
  test('has a level for every folder', () => {
    expect(files.map(placeOf).filter((place) => levelOf(place) === -1)).toEqual([]);
  });

  test('imports only what is below', () => {
    const upwards = arrows.filter(({ from, to }) => {
      const [place, other] = [placeOf(from), placeOf(to)];
      return place !== other && levelOf(other) >= levelOf(place);
    });
    expect(upwards).toEqual([]);
  });

  test('lets only the index of a feature see the core', () => {
    const seeing = arrows.filter(
      ({ from, to }) =>
        to === 'core.ts' &&
        levelOf(placeOf(from)) >= FEATURES_BEGIN &&
        from.includes('/') &&
        !from.endsWith('/index.ts'),
    );
    expect(seeing).toEqual([]);
  });

  test('has a list of features that is read on one page', () => {
    expect(readFileSync(join(SRC, 'app.ts'), 'utf8').split('\n').length).toBeLessThanOrEqual(150);
  });
});
