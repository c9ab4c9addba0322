import { gauge, metricText } from '../../base/metric-text.ts';
import type { Agent } from '../agent.ts';
import { controlMetrics } from './control-metrics.ts';
import { datasetMetrics } from './dataset-metrics.ts';
import type { MetricsApi } from './metrics-types.ts';
import { storageMetrics } from './storage-metrics.ts';
import { workMetrics } from './work-metrics.ts';

export function metricsApi(agent: Agent): MetricsApi {
  return {
    metrics: async () => {
      const { name, site, region } = agent.member();
      const labels = { version: agent.version, name, site, region };
      return {
        text: metricText([
          gauge('holdfast_agent_info', 'This agent.', [{ labels, value: 1 }]),
          ...(await datasetMetrics(agent)),
          ...controlMetrics(agent),
          ...storageMetrics(agent),
          ...workMetrics(agent),
          ...(agent.loop?.families() ?? []),
        ]),
      };
    },
  };
}
