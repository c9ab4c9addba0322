import type { FastifyInstance } from 'fastify';
import type { AgentApi } from '../../agent/api.ts';
import { checked, grantBody, readPackBody, restoreWishBody } from './requests.ts';

/** Requests about restore grants; the restore itself is a stream. */
export function addGrants(app: FastifyInstance, api: AgentApi): void {
  app.get('/v1/restores', () => api.restoreGrants());
  app.post('/v1/restores/request', (request) =>
    api.requestRestore(checked(restoreWishBody, request.body, 'the body')),
  );
  app.post('/v1/restores/material', (request) =>
    api.grantMaterial(checked(grantBody, request.body, 'the body')),
  );
  app.post('/v1/restores/pack', (request) =>
    api.readPack(checked(readPackBody, request.body, 'the body')),
  );
}
