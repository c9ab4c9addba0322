import type { FastifyInstance } from 'fastify';
import type { AgentApi } from '../../agent/api.ts';
import { checked, datasetBody, noBody, resolveSnapshotsBody } from './requests.ts';

/** What is kept, how long, and what goes. */
export function addKeeping(app: FastifyInstance, api: AgentApi): void {
  app.get('/v1/keeping', () => api.keeping());
  app.post('/v1/snapshots/resolve', (request) =>
    api.resolveSnapshots(checked(resolveSnapshotsBody, request.body, 'the body')),
  );
  app.post('/v1/retention', (request) =>
    api.retention(checked(datasetBody, request.body, 'the body')),
  );
  app.post('/v1/retention/propose', (request) =>
    api.proposeExpiry(checked(datasetBody, request.body, 'the body')),
  );
  app.post('/v1/prune', (request) => {
    checked(noBody, request.body, 'the body');
    return api.prune();
  });
}
