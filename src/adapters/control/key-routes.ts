import type { FastifyInstance } from 'fastify';
import type { AgentApi } from '../../agent/api.ts';
import { checked, holdersBody, rotateBody, stageBody, unstageBody } from './requests.ts';

/** Requests about who can open what. */
export function addKeys(app: FastifyInstance, api: AgentApi): void {
  app.get('/v1/keys', () => api.keys());
  app.get('/v1/keys/material', () => api.keyMaterial());
  app.post('/v1/keys/rotate', (request) =>
    api.rotateKey(checked(rotateBody, request.body, 'the body')),
  );
  app.post('/v1/keys/stage', (request) =>
    api.stageKeyRecords(checked(stageBody, request.body, 'the body')),
  );
  app.post('/v1/keys/unstage', async (request) => {
    await api.unstageKeyRecords(checked(unstageBody, request.body, 'the body'));
    return {};
  });
  app.post('/v1/keys/holders', (request) =>
    api.keyHolders(checked(holdersBody, request.body, 'the body')),
  );
}
