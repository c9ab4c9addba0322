import { parentPort } from 'node:worker_threads';
import { assert, assertNever } from '../../base/assert.ts';
import { release } from '../../base/bytes.ts';
import { standBack } from '../thread-priority.ts';
import { type Failure, failureOf } from './failure.ts';
import { type JobRequest, type JobResult, runJob } from './job.ts';
import { type Parcel, wrapResult } from './parcel.ts';

/** What a thread answers to each request, one for one. */
export type JobAnswer =
  | { readonly isDone: true; readonly result: JobResult }
  | { readonly isDone: false; readonly failure: Failure };

assert(parentPort !== null, 'this file is the entry of a worker thread');
const port = parentPort;

standBack();

port.on('message', (requests: readonly JobRequest[]) => {
  const answers = requests.map(answer);
  port.postMessage(
    answers.map(({ content }) => content),
    answers.flatMap(({ transfer }) => transfer),
  );
});

/** The pool has moved these to this thread: they are of no further use to anybody. */
function releaseInput(request: JobRequest): void {
  for (const bytes of ownedBy(request)) release(bytes);
}

function ownedBy(request: JobRequest): readonly Uint8Array[] {
  switch (request.kind) {
    case 'sealFrame':
      return [request.input.plain];
    case 'openFrame':
      return [request.input.sealed];
    case 'checkLeaves':
      // They go back.
      return [];
    case 'encode':
      return request.input.parts;
    case 'reconstruct':
      return request.input.present.map(({ bytes }) => bytes);
    default:
      return assertNever(request);
  }
}

function answer(request: JobRequest): Parcel<JobAnswer> {
  try {
    const { content, transfer } = wrapResult(runJob(request));
    releaseInput(request);
    return { content: { isDone: true, result: content }, transfer };
  } catch (error) {
    // Rethrown by the pool, to the caller of the job.
    return { content: { isDone: false, failure: failureOf(error) }, transfer: [] };
  }
}
