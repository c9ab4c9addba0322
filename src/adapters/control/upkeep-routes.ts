import type { FastifyInstance } from 'fastify';
import type { AgentApi } from '../../agent/api.ts';
import { bandwidthBody, beginBody, checked, repairsBody, lossBody, statsBody } from './requests.ts';

/** Data that mends itself. */
export function addUpkeep(app: FastifyInstance, api: AgentApi): void {
  app.post('/v1/repairs', (request) => api.repairs(checked(repairsBody, request.body, 'the body')));
  app.get('/v1/bandwidth', () => api.bandwidth());
  app.post('/v1/bandwidth', (request) =>
    api.limitBandwidth(checked(bandwidthBody, request.body, 'the body')),
  );
  app.post('/v1/stats', (request) => api.stats(checked(statsBody, request.body, 'the body')));
  app.get('/v1/drains', () => api.drains());
  app.post('/v1/layout/loss', (request) =>
    api.forecastLoss(checked(lossBody, request.body, 'the body')),
  );
  app.post('/v1/stores', (request) => api.stores(checked(beginBody, request.body, 'the body')));
  app.post('/v1/scrub', (request) => api.scrub(checked(beginBody, request.body, 'the body')));
}
