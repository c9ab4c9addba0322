import { parentPort } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { standBack } from '../thread-priority.ts';
import { BatchReader } from './batch-reader.ts';
import { type ListJob, listAll } from './list-job.ts';
import type { ReadJob } from './read-job.ts';

// The thread of one read worker: one job in, one answer out. An exception ends the thread, and the pool rejects
// the job with it.

const port = parentPort;
assert(port !== null, 'runs as a worker thread');

const reader = new BatchReader();

standBack();

port.on('message', (job: ReadJob | ListJob) => {
  if ('prefixes' in job) {
    const answer = listAll(job);
    const { counts, names, nameSizes, rows } = answer;
    port.postMessage(answer, [counts.buffer, names.buffer, nameSizes.buffer, rows.buffer]);
    return;
  }
  const answer = reader.read(job);
  const { slab, ids, rows, lengths } = answer;
  port.postMessage(answer, [slab.buffer, ids.buffer, rows.buffer, lengths.buffer]);
});
