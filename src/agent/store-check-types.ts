import type { Times } from '../services/tiers/check-times.ts';
import type { StoreCheck } from '../services/tiers/store-check.ts';

export type StoreCheckRequest = {
  stateDir: string;
  configFile?: string;
  /** "s3://bucket/prefix" or an absolute path. */
  store: string;
  /** Undefined: the cold store of this host, else its own disk. */
  against?: string;
  endpoint?: string;
  region?: string;
  pathStyle?: boolean;
  count: number;
  size: number;
  signal: AbortSignal;
  onStep: (step: string) => void;
};

export type StoreCheckReport = {
  store: StoreMeasured;
  /** Undefined: nothing is in use here yet. */
  against?: StoreMeasured;
  /** Nothing was found that speaks against using it. */
  isFit: boolean;
};

export type StoreMeasured = StoreCheck & {
  /** Of a directory. */
  disk?: { fileSystem: string; freeBytes: number; syncs: Times };
};
