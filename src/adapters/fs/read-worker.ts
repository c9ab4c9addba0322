import { parentPort } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { BatchReader } from './batch-reader.ts';
import type { ReadJob } from './read-job.ts';

// The thread of one read worker: one job in, one answer out. An exception ends the thread, and the pool rejects
// the job with it.

const port = parentPort;
assert(port !== null, 'runs as a worker thread');

const reader = new BatchReader();

port.on('message', (job: ReadJob) => {
  const answer = reader.read(job);
  port.postMessage(answer, [answer.slab.buffer, answer.ids.buffer]);
});
