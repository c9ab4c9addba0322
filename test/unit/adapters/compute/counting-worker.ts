import { parentPort } from 'node:worker_threads';
import type { JobRequest } from '../../../../src/adapters/compute/job.ts';
import type { JobAnswer } from '../../../../src/adapters/compute/worker.ts';

/** Says of each job how many came with it, as if that leaf were bad. */
parentPort?.on('message', (requests: readonly JobRequest[]) => {
  const output = { bytes: new Uint8Array(0), bad: requests.length };
  const answer: JobAnswer = { isDone: true, result: { kind: 'checkLeaves', output } };
  parentPort?.postMessage(requests.map(() => answer));
});
