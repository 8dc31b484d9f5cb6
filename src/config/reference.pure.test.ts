import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect, it } from 'vitest';
import { loadConfig } from './config.ts';
import { GROUPS } from './groups.ts';
import { configurationPage, envExample } from './reference.ts';

const variables = Object.values(GROUPS).flatMap((group) => Object.values(group));

function committed(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

it('the committed .env.example is current (npm run docs writes it)', () => {
  expect(committed('.env.example')).toBe(envExample());
});

it('the committed docs/CONFIGURATION.md is current (npm run docs writes it)', () => {
  expect(committed('docs/CONFIGURATION.md')).toBe(configurationPage());
});

it('both name every variable once', () => {
  for (const { name } of variables) {
    expect(envExample().match(new RegExp(`^#${name}=`, 'gm')), name).toHaveLength(1);
    expect(configurationPage().match(new RegExp(`^\\| \`${name}\` \\|`, 'gm')), name).toHaveLength(1);
  }
});

it('.env.example sets nothing as it is, and with every # taken away it sets the defaults', () => {
  expect(parseEnv(envExample())).toEqual({});
  const uncommented = parseEnv(envExample().replace(/^#(?=[A-Z])/gm, ''));
  expect({ ...loadConfig(uncommented), given: new Set() }).toEqual(loadConfig({}));
});

it('.env.example holds no sample of a secret', () => {
  for (const { name } of variables.filter(({ secret }) => secret)) {
    expect(envExample()).toMatch(new RegExp(`^#${name}=$`, 'm'));
  }
});
