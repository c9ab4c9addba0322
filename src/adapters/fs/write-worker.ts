import { parentPort } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { standBack } from '../thread-priority.ts';
import { BatchWriter, type WriteJob } from './write-job.ts';

// The thread of one write worker: one job in, one answer out. An exception ends the thread, and its jobs fail with it.

const port = parentPort;
assert(port !== null, 'runs as a worker thread');

const writer = new BatchWriter();

standBack();

port.on('message', (job: WriteJob) => {
  const answer = writer.write(job);
  port.postMessage(answer, [answer.slab.buffer]);
});
