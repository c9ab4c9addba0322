import type { Readable, Writable } from 'node:stream';
import type { Backend } from './backend.ts';
import type { Output } from './output.ts';

/** What a run of the command line may touch. */
export type World = {
  backend: Backend;
  stdout: Writable;
  stderr: Writable;
  stdin: Readable;
  env: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal. */
  isTty: boolean;
  /** Aborts on Ctrl-C. */
  signal?: AbortSignal;
  /** Of the terminal. */
  columns?: () => number;
  /** Milliseconds since 1970, which do not go back. */
  nowMs?: () => number;
  cwd?: string;
  /** Of the user; 0 is root. */
  uid?: number;
};

/** What every command gets. */
export type CliContext = {
  backend: Backend;
  output: Output;
  stdin: Readable;
  env: World['env'];
  signal: AbortSignal;
  nowMs: () => number;
  cwd: string;
  /** As typed, without the program's name. */
  argv: readonly string[];
  /** Absolute. */
  stateDir: string;
  /** Absolute; undefined: not asked for. */
  configFile: string | undefined;
  /** What a suggested command needs to mean the same state directory: "" or " -s DIR". */
  stateFlag: string;
  isVerbose: boolean;
};
