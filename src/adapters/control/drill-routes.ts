import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AgentApi } from '../../agent/api.ts';
import { drillKinds } from '../../core/policy/drill-report.ts';
import { checked, noBody } from './requests.ts';

const dataset = z.string().min(1).max(128);
const termsBody = z.strictObject({
  dataset: dataset.exactOptional(),
  scenario: z.enum(drillKinds).exactOptional(),
});
const shapeBody = z.strictObject({ dataset });
// limits.drillReportSizeMax, and what UTF-16 makes of it.
const reportBody = z.strictObject({ report: z.string().min(2).max(32_768) });

export const runDrillBody = z.strictObject({
  dataset: z.string().min(1).max(128),
  sample: z.int().positive().exactOptional(),
});

/** Requests about rehearsals of restores, and about numbers. */
export function addDrills(app: FastifyInstance, api: AgentApi): void {
  app.get('/v1/metrics', () => api.metrics());
  app.get('/v1/drills', () => api.drills());
  app.post('/v1/drills/terms', (request) =>
    api.drillTerms(checked(termsBody, request.body, 'the body')),
  );
  app.post('/v1/drills/shape', (request) =>
    api.drillShape(checked(shapeBody, request.body, 'the body')),
  );
  app.post('/v1/drills', (request) =>
    api.recordDrill(checked(reportBody, request.body, 'the body')),
  );
  app.post('/v1/drills/key', (request) => {
    checked(noBody, request.body, 'the body');
    return api.drillKey();
  });
  app.get('/v1/drills/schedule', () => api.drillSchedule());
  app.post('/v1/drills/evidence', (request) => {
    checked(noBody, request.body, 'the body');
    return api.drillEvidence();
  });
}
