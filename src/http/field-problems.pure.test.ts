import type { FastifyRequest } from 'fastify';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { fieldProblems } from './field-problems.ts';

/** What is said of a body whose field `colours.0` a schema refuses in its own words. */
function saidInTheWords(message: string): string {
  const body = z.object({ colours: z.array(z.string()) });
  const request = { routeOptions: { schema: { body } }, body: { colours: ['grue'] } };
  const issue = { keyword: 'custom', instancePath: '/colours/0', schemaPath: '', params: {}, message };
  return fieldProblems(request as unknown as FastifyRequest, [issue])[0]!.message;
}

test('words of a schema stand after the name of the field, unless they are a sentence that has it', () => {
  expect(saidInTheWords('a colour')).toBe('The value of `colours.0` must be a colour.');
  expect(saidInTheWords('Nobody sees it.')).toBe('The value of `colours.0` cannot be used. Nobody sees it.');
  expect(saidInTheWords('Nobody sees `colours.0`.')).toBe('Nobody sees `colours.0`.');
});
