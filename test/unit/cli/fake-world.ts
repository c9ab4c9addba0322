import { Readable, Writable } from 'node:stream';
import type { AgentApi, BackupSummary, RecoverySession } from '../../../src/agent/api.ts';
import type { Backend } from '../../../src/cli/backend.ts';
import { runCli } from '../../../src/cli/run.ts';
import type { World } from '../../../src/cli/world.ts';
import { HoldfastError } from '../../../src/core/errors.ts';

export type Run = { code: number; out: string; err: string };

/** A stream that keeps what is written to it. */
export class Recording extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

function unexpected(name: string): never {
  throw new Error(`${name} was not expected`);
}

/** A backend whose methods fail unless given. */
export function fakeBackend(part: Partial<Backend> = {}): Backend {
  return {
    initCluster: async () => unexpected('initCluster'),
    invite: async () => unexpected('invite'),
    submitAsOperator: async () => unexpected('submitAsOperator'),
    makeOperatorKey: async () => unexpected('makeOperatorKey'),
    provePolicy: async () => unexpected('provePolicy'),
    decreeDocument: async () => unexpected('decreeDocument'),
    readDecree: async () => unexpected('readDecree'),
    signDecree: async () => unexpected('signDecree'),
    decreeEnvelope: async () => unexpected('decreeEnvelope'),
    join: async () => unexpected('join'),
    runAgent: async () => unexpected('runAgent'),
    startAgent: async () => unexpected('startAgent'),
    openRecovery: async () => unexpected('openRecovery'),
    sandboxDrill: () => unexpected('sandboxDrill'),
    proveDrills: async () => unexpected('proveDrills'),
    openPlanKeys: async () => unexpected('openPlanKeys'),
    grantRestore: async () => unexpected('grantRestore'),
    splitKit: async () => unexpected('splitKit'),
    combineKit: async () => unexpected('combineKit'),
    proveShare: async () => unexpected('proveShare'),
    changeKeys: async () => unexpected('changeKeys'),
    control: () => unexpected('control'),
    dashboard: async () => unexpected('dashboard'),
    repairIndex: async () => unexpected('repairIndex'),
    checkTarget: async () => unexpected('checkTarget'),
    demo: async () => unexpected('demo'),
    loadConfig: async () => unexpected('loadConfig'),
    ...part,
  };
}

/** A backend with an agent that answers only what is given. */
export function withAgent(agent: Partial<AgentApi>, part: Partial<Backend> = {}): Backend {
  const whole = { removedPeers: async () => [], ...agent } as AgentApi;
  return fakeBackend({ control: () => whole, ...part });
}

/** A backend without an agent, whose recovery opens this session. */
export function withSession(
  session: Partial<RecoverySession>,
  onOpen: (options: { kitText: string; peers: string[] }) => void = () => undefined,
): Backend {
  const notRunning = async (): Promise<never> => {
    throw new HoldfastError('agent-not-running', 'no agent runs', { next: 'holdfast agent' });
  };
  return withAgent(
    { identity: notRunning },
    {
      openRecovery: async (options) => {
        onOpen(options);
        return { [Symbol.asyncDispose]: async () => undefined, ...session } as RecoverySession;
      },
    },
  );
}

/** One run of the command line without a terminal, unless told otherwise. */
export async function run(argv: string[], part: Partial<World> = {}): Promise<Run> {
  const stdout = new Recording();
  const stderr = new Recording();
  const code = await runCli(argv, {
    backend: fakeBackend(),
    stdout,
    stderr,
    stdin: Readable.from([]),
    env: { HOME: '/home/someone' },
    isTty: false,
    uid: 1000,
    cwd: '/work',
    ...part,
  });
  return { code, out: stdout.text, err: stderr.text };
}

/** JSON objects, one a line; fails on anything else. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

export async function* stream<T>(...items: T[]): AsyncGenerator<T> {
  yield* items;
}

export const backupSummary: BackupSummary = {
  snapshot: '3f2a9c1b'.repeat(8),
  dataset: 'documents',
  state: 'committed',
  missingSites: [],
  refusals: [],
  words: 'survives any 2 sites; costs 1.67x',
  files: 1234,
  directories: 10,
  others: 1,
  filesNew: 1000,
  filesChanged: 200,
  filesUnmodified: 34,
  filesUnstable: 0,
  problems: 0,
  bytes: 5_000_000,
  bytesRead: 4_000_000,
  bytesAdded: 3_000_000,
  bytesStored: 5_010_000,
  durationMs: 61_000,
};
