import { prometheusMetrics } from '@libp2p/prometheus-metrics';
import { collectDefaultMetrics, Registry } from 'prom-client';

/** What libp2p and the process measure of themselves. */
export type NodeMetrics = {
  readonly factory: ReturnType<typeof prometheusMetrics>;
  text(): Promise<string>;
};

export function openNodeMetrics(): NodeMetrics {
  const registry = new Registry();
  // It would count the process a second time, under names that end wrongly.
  const factory = prometheusMetrics({ registry, collectDefaultMetrics: false });
  collectDefaultMetrics({ register: registry });
  return { factory, text: () => registry.metrics() };
}
