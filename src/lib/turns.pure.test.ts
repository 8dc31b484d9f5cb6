import { expect, test } from 'vitest';
import { turns } from './turns.ts';

/** A work that ends when it is told to. */
function work(name: string, begun: string[]) {
  let end = () => {};
  let fail = () => {};
  const outcome = new Promise<string>((resolve, reject) => {
    end = () => resolve(name);
    fail = () => reject(new Error(name));
  });
  const run = () => {
    begun.push(name);
    return outcome;
  };
  return { run, end: () => end(), fail: () => fail() };
}

test('no more works run at once than may, and the others have their turns in order', async () => {
  const begun: string[] = [];
  const inTurn = turns(2);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => work(name, begun));
  const ended = [a!, b!, c!, d!].map(({ run }) => inTurn(run));
  expect(begun).toEqual(['a', 'b']);
  b!.end();
  expect(await ended[1]).toBe('b');
  expect(begun).toEqual(['a', 'b', 'c']);
  a!.end();
  await ended[0];
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  c!.end();
  d!.end();
  expect(await Promise.all(ended)).toEqual(['a', 'b', 'c', 'd']);
});

test('a work that fails gives its turn to the next', async () => {
  const begun: string[] = [];
  const inTurn = turns(1);
  const [a, b] = [work('a', begun), work('b', begun)];
  const failed = inTurn(a.run);
  const next = inTurn(b.run);
  a.fail();
  await expect(failed).rejects.toThrow('a');
  b.end();
  expect(await next).toBe('b');
});
