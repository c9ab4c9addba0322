import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AgentApi } from '../../agent/api.ts';
import { checked, noBody } from './requests.ts';

const clearBody = z.strictObject({
  id: z.string().regex(/^[0-9a-fA-F]{2,12}$/, { error: 'is no id of an alarm' }),
});

/** Requests about what people are told. */
export function addAlerts(app: FastifyInstance, api: AgentApi): void {
  app.get('/v1/alerts', () => api.alerts());
  app.post('/v1/alerts/clear', (request) =>
    api.clearAlert(checked(clearBody, request.body, 'the body')),
  );
  app.get('/v1/channels', () => api.channels());
  app.post('/v1/channels/test', (request) => {
    checked(noBody, request.body, 'the body');
    return api.testChannels();
  });
}
