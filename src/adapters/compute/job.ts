import { encodePack } from '../../core/coding/pack-coding.ts';
import { reconstruct } from '../../core/coding/reed-solomon.ts';
import { sealFrame } from '../../core/format/frame.ts';
import { openFrameWithIds } from '../../core/format/opened-frame.ts';
import { checkLeaves } from '../../core/format/shard-leaves.ts';
import type { Compute } from '../../ports/compute.ts';

export type JobKind = 'sealFrame' | 'openFrame' | 'checkLeaves' | 'encode' | 'reconstruct';
export type JobInput<Kind extends JobKind> = Parameters<Compute[Kind]>[0];
export type JobOutput<Kind extends JobKind> = Awaited<ReturnType<Compute[Kind]>>;

/** One call of the Compute port, as it goes to a thread. */
export type JobRequest = {
  [Kind in JobKind]: { readonly kind: Kind; readonly input: JobInput<Kind> };
}[JobKind];

/** What a call gave, as it comes back; the kind is the request's. */
export type JobResult = {
  [Kind in JobKind]: { readonly kind: Kind; readonly output: JobOutput<Kind> };
}[JobKind];

export function runJob(request: JobRequest): JobResult {
  switch (request.kind) {
    case 'sealFrame':
      return { kind: 'sealFrame', output: sealFrame(request.input) };
    case 'openFrame':
      return { kind: 'openFrame', output: openFrameWithIds(request.input) };
    case 'checkLeaves':
      return { kind: 'checkLeaves', output: checkLeaves(request.input) };
    case 'encode':
      return { kind: 'encode', output: encodePack(request.input) };
    case 'reconstruct':
      return { kind: 'reconstruct', output: reconstruct(request.input) };
  }
}
