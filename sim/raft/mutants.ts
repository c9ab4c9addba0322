import type { RaftMutant } from './mutant.ts';
import { changes, elections, guests } from './mutants-elections.ts';
import { logs, reads, snapshots } from './mutants-logs.ts';

export const raftMutants: readonly RaftMutant[] = [
  ...elections,
  ...logs,
  ...reads,
  ...changes,
  ...snapshots,
  ...guests,
];
