import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { METRICS, type MetricFamily, metricsPage } from './catalogue.ts';

test('docs/METRICS.md lists every family of metrics (npm run docs writes it)', () => {
  expect(readFileSync(new URL('../../docs/METRICS.md', import.meta.url), 'utf8')).toBe(metricsPage());
});

test('names are those of Prometheus: snake case, base units, counters that end in _total', () => {
  for (const [name, { type }] of Object.entries<MetricFamily>(METRICS)) {
    expect(name).toMatch(/^(http|wotp)(_[a-z]+)+$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|kb|mb)(_|$)/);
  }
});

test('buckets ascend', () => {
  for (const { buckets = [] } of Object.values<MetricFamily>(METRICS)) {
    expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
  }
});
