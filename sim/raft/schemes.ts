import type { RaftCluster } from './cluster.ts';
import type { Scheme } from './scheme.ts';
import { RivalChanges, TwoChanges, UndoneChange } from './scheme-changes.ts';
import { FigureEight, LongTail } from './scheme-commits.ts';
import { OldAnswers } from './scheme-old-answers.ts';
import { LateAnswers, OldTerm, StaleRead } from './scheme-reads.ts';
import type { RaftWorkload } from './workload.ts';

type MakeScheme = (cluster: RaftCluster, workload: RaftWorkload) => Scheme;

const schemes = {
  'figure-8': (cluster, workload) => new FigureEight(cluster, workload),
  'late-answers': (cluster, workload) => new LateAnswers(cluster, workload),
  'long-tail': (cluster, workload) => new LongTail(cluster, workload),
  'old-answers': (cluster, workload) => new OldAnswers(cluster, workload),
  'old-term': (cluster, workload) => new OldTerm(cluster, workload),
  'rival-changes': (cluster) => new RivalChanges(cluster),
  'stale-read': (cluster, workload) => new StaleRead(cluster, workload),
  'two-changes': (cluster) => new TwoChanges(cluster),
  'undone-change': (cluster) => new UndoneChange(cluster),
} satisfies Record<string, MakeScheme>;

export type SchemeKind = keyof typeof schemes;

export const schemeKinds = Object.keys(schemes) as readonly SchemeKind[];

export function schemeOf(kind: SchemeKind, cluster: RaftCluster, workload: RaftWorkload): Scheme {
  return schemes[kind](cluster, workload);
}
