import prom from 'prom-client';
import { METRICS, type MetricFamily, type MetricName } from './catalogue.ts';

type Labels = Readonly<Record<string, string>>;

/** The metrics of one application. */
export type Metrics = ReturnType<typeof metricsRegistry>;

/** Those of the process, which all applications in it share; watched from the first look on. */
let ofProcess: prom.Registry | undefined;

function processRegistry(): prom.Registry {
  if (!ofProcess) {
    ofProcess = new prom.Registry();
    prom.collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}

/** Counters, gauges and histograms under the names of the catalogue. */
export function metricsRegistry() {
  const registry = new prom.Registry();
  const counters = new Map<MetricName, prom.Counter>();
  const gauges = new Map<MetricName, prom.Gauge>();
  const histograms = new Map<MetricName, prom.Histogram>();
  for (const [key, { type, help, labels, buckets }] of Object.entries<MetricFamily>(METRICS)) {
    const name = key as MetricName;
    const settings = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === 'counter') counters.set(name, new prom.Counter(settings));
    else if (type === 'gauge') gauges.set(name, new prom.Gauge(settings));
    else histograms.set(name, new prom.Histogram({ ...settings, buckets: [...buckets!] }));
  }

  return {
    contentType: registry.contentType,
    /** Counts one more. */
    count: (name: MetricName, labels: Labels) => counters.get(name)!.inc(labels),
    observe: (name: MetricName, labels: Labels, value: number) =>
      histograms.get(name)!.observe(labels, value),
    /** Replaces all values of a gauge. */
    set(name: MetricName, values: readonly (readonly [Labels, number])[]): void {
      const gauge = gauges.get(name)!;
      gauge.reset();
      // A gauge without labels would show 0.
      if (values.length === 0) gauge.remove({});
      for (const [labels, value] of values) gauge.set(labels, value);
    },
    /** Everything in the text format of Prometheus 0.0.4. */
    text: (): Promise<string> => prom.Registry.merge([registry, processRegistry()]).metrics(),
  };
}
