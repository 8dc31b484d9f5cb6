import type { PossiblyExtendedCacheStore } from 'baileys';
import type { Clock } from '../../../lib/clock.ts';

/**
 * A cache as Baileys takes it, made to outlive its sockets.
 * @param ttlMs how long a value is good for, in ms
 * @param max values kept; the oldest go first
 */
export function lastingCache(clock: Clock, ttlMs: number, max: number): PossiblyExtendedCacheStore {
  const values = new Map<string, { value: unknown; until: number }>();

  function get<T>(key: string): T | undefined {
    const found = values.get(key);
    if (found && found.until > clock.now()) return found.value as T;
    values.delete(key);
    return undefined;
  }

  function set(key: string, value: unknown): void {
    values.delete(key);
    values.set(key, { value, until: clock.now() + ttlMs });
    for (const oldest of values.keys()) {
      if (values.size <= max) break;
      values.delete(oldest);
    }
  }

  return {
    get,
    set,
    del: (key) => void values.delete(key),
    flushAll: () => values.clear(),
    async mget<T>(keys: string[]) {
      return Object.fromEntries(keys.map((key) => [key, get<T>(key)]));
    },
    mset(entries) {
      for (const { key, value } of entries) set(key, value);
    },
    mdel(keys) {
      for (const key of keys) values.delete(key);
    },
  };
}
