import { Gauge, Registry } from 'prom-client';
import type { Family } from './family.js';

/** Metrics as prom-client writes and pushes them. One without series is left out: it would be shown as 0. */
export function registryOf(families: readonly Family[]): Registry {
  const registry = new Registry();
  for (const { name, help, series } of families) {
    const [first] = series;
    if (first === undefined) continue;
    const metric = new Gauge({ name, help, labelNames: Object.keys(first.labels), registers: [registry] });
    for (const { labels, value } of series) metric.set(labels, value);
  }
  return registry;
}
