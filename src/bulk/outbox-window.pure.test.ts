import { expect, test } from 'vitest';
import { OutboxWindow } from './outbox-window.ts';

const rooms = (window: OutboxWindow, queued: (room: number) => number, looks: number) => {
  const seen = [];
  let left = 0;
  for (let look = 0; look < looks; look++) {
    const room = window.room('blk_1', left);
    seen.push(room);
    left = queued(left + room);
  }
  return seen;
};

test('while the channel takes everything between two looks, the room grows up to 250', () => {
  expect(rooms(new OutboxWindow(), () => 0, 6)).toEqual([40, 80, 160, 250, 250, 250]);
});

test('of a slow channel the outbox holds 20 at least, and no more is put in than fits', () => {
  const window = new OutboxWindow();
  const seen = rooms(window, (held) => Math.max(0, held - 1), 40);
  expect(seen.slice(-10).every((room) => room <= 1)).toBe(true);
  expect(window.room('blk_1', 0)).toBeGreaterThanOrEqual(20);
});

test('a job that has ended is forgotten', () => {
  const window = new OutboxWindow();
  for (let look = 0; look < 5; look++) window.room('blk_1', 0);
  window.keepOnly([]);
  expect(window.room('blk_1', 0)).toBe(40);
});
