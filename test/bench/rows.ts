import { GiB } from '../../src/base/units.ts';
import type { Result } from './contender.ts';

/** What a scenario has measured, by step and contender: one result a run. */
export type Results = ReadonlyMap<string, readonly Result[]>;

export const stepKey = (step: string, contender: string): string => `${step}/${contender}`;

/** A line of the table: ours against theirs, as a median of paired runs. */
export type Row = {
  readonly id: string;
  readonly title: string;
  readonly unit: 's' | 'MB' | 's/GiB';
  /** At most this many times theirs; undefined for a row that is shown without one. */
  readonly goal?: number;
  /** Steps that must have run. */
  readonly steps: readonly string[];
  readonly value: (results: readonly Result[], bytes: SourceBytes) => number;
};

export type SourceBytes = { readonly tree: number; readonly file: number };

const seconds = ([result]: readonly Result[]): number => result?.seconds ?? Number.NaN;
const added = ([result]: readonly Result[]): number => (result?.bytesAdded ?? Number.NaN) / 1e6;
const cpu = (results: readonly Result[]): number =>
  results.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
const peak = (results: readonly Result[]): number =>
  Math.max(...results.map(({ serverPeakBytes }) => serverPeakBytes)) / 1e6;

function timed(id: string, title: string, goal?: number): Row {
  return { id, title, unit: 's', steps: [id], value: seconds, ...(goal !== undefined && { goal }) };
}

/** The goals of the data path; ids are those of --only. */
export const rows: readonly Row[] = [
  timed('file-first', 'first backup of the file, one local site', 0.36),
  timed('tree-first', 'first backup of the tree, one local site', 0.36),
  timed('tree-unchanged', 'backup of the unchanged tree', 0.2),
  timed('tree-changed', 'backup of the tree with 1.5 % of its files changed', 0.33),
  {
    id: 'file-added',
    title: 'bytes added by the edited file, before coding',
    unit: 'MB',
    goal: 0.15,
    steps: ['file-changed'],
    value: added,
  },
  timed('file-changed', 'backup of the edited file'),
  timed('file-restore', 'restore of the file, one local site'),
  timed('file-lossy', 'restore of the file, two of six shards gone', 0.6),
  timed('tree-restore', 'restore of the tree, one local site', 0.6),
  timed('one-file', 'restore of one file of the tree', 0.3),
  timed('tree-check', 'check that reads all data', 0.4),
  timed('sites-first', 'first backup of both to five sites, any 2 may be lost', 0.3),
  timed('sites-restore', 'restore of both with 2 of 5 sites gone', 0.6),
  {
    id: 'tree-stored',
    title: 'stored bytes of the tree before coding, metadata included',
    unit: 'MB',
    goal: 0.85,
    steps: ['tree-first'],
    value: added,
  },
  {
    id: 'cpu',
    title: 'CPU seconds of the source per GiB, first backups, local',
    unit: 's/GiB',
    goal: 0.5,
    steps: ['file-first', 'tree-first'],
    value: (results, bytes) => cpu(results) / ((bytes.tree + bytes.file) / GiB),
  },
  {
    id: 'memory',
    title: 'peak memory of the agent in first backups, threads included',
    unit: 'MB',
    goal: 2,
    steps: ['file-first', 'tree-first'],
    value: peak,
  },
];
