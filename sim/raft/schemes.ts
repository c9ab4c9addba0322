import type { RaftCluster } from './cluster.ts';
import type { Scheme } from './scheme.ts';
import { RivalChanges, TwoChanges, UndoneChange } from './scheme-changes.ts';
import { FigureEight, LongTail } from './scheme-commits.ts';
import { OldAnswers } from './scheme-old-answers.ts';
import { LateAnswers, OldTerm, StaleRead } from './scheme-reads.ts';
import type { RaftWorkload } from './workload.ts';

type SchemeClass = new (cluster: RaftCluster, workload: RaftWorkload) => Scheme;

const schemes = {
  'figure-8': FigureEight,
  'late-answers': LateAnswers,
  'long-tail': LongTail,
  'old-answers': OldAnswers,
  'old-term': OldTerm,
  'rival-changes': RivalChanges,
  'stale-read': StaleRead,
  'two-changes': TwoChanges,
  'undone-change': UndoneChange,
} satisfies Record<string, SchemeClass>;

export type SchemeKind = keyof typeof schemes;

export const schemeKinds = Object.keys(schemes) as readonly SchemeKind[];

export function schemeOf(kind: SchemeKind, cluster: RaftCluster, workload: RaftWorkload): Scheme {
  return new schemes[kind](cluster, workload);
}
