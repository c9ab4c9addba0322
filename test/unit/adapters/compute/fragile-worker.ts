import { parentPort } from 'node:worker_threads';
import type { JobRequest } from '../../../../src/adapters/compute/job.ts';
import type { JobAnswer } from '../../../../src/adapters/compute/worker.ts';

/** Ends when asked to open a frame, never answers when asked to seal one, gives packs back otherwise. */
parentPort?.on('message', ([request]: readonly [JobRequest]) => {
  if (request.kind === 'openFrame') process.exit(3);
  if (request.kind === 'reconstruct') throw new Error('thrown outside of any job');
  if (request.kind !== 'encode') return;
  const { parts } = request.input;
  const answer: JobAnswer = {
    isDone: true,
    result: { kind: 'encode', output: { shards: parts, leaves: [], roots: [] } },
  };
  parentPort?.postMessage([answer]);
});
