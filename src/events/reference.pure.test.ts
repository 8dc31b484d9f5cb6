import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EVENT_DATA, PROMISED_TYPES } from './data.ts';
import { eventsPage, examplePayload } from './reference.ts';

describe('the page of events', () => {
  test('is docs/EVENTS.md (npm run docs writes it)', () => {
    expect(readFileSync(new URL('../../docs/EVENTS.md', import.meta.url), 'utf8')).toBe(eventsPage());
  });

  test('has the fields of every event that integrators are promised, and of no other', () => {
    expect(Object.keys(EVENT_DATA).sort()).toEqual([...PROMISED_TYPES].sort());
  });

  test.each(PROMISED_TYPES)('has an example of %s that is one', (type) => {
    const { data, event } = examplePayload(type);
    expect(event).toBe(type);
    expect(Object.keys(data).length).toBeGreaterThan(0);
    expect(EVENT_DATA[type]!.parse(data)).toEqual(data);
  });
});
