import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { restorePlaces } from '../../../../src/adapters/fs/restore-place.ts';
import { fromUtf8 } from '../../../../src/base/bytes.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { PlanHash } from '../../../../src/core/format/control-records.ts';
import type { AgentKey, PackId, StatementHash } from '../../../../src/core/ids.ts';
import type { PlanStep, RestorePlan } from '../../../../src/core/policy/restore-plan.ts';
import { collectPackKeys } from '../../../../src/services/plan/pack-keys.ts';
import { RestoreStep } from '../../../../src/services/plan/restore-step.ts';
import type { StepOutcome } from '../../../../src/services/plan/step-outcome.ts';
import { SnapshotSession } from '../../../../src/services/snapshot-session.ts';
import {
  buildSnapshot,
  dataset,
  directory,
  file,
  noise,
  peerAt,
  type SampleSnapshot,
} from '../../../support/build-snapshot.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { expectSame } from '../../../support/same-bytes.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const writer = '0e'.repeat(32) as AgentKey;
const snapshotId = 'e0'.repeat(32) as StatementHash;
const plan = 'f0'.repeat(32) as PlanHash;

const tree = {
  etc: directory({ hosts: file(300, 1) }),
  data: file(400_000, 2),
};

/** A snapshot at five peers, and one host that is to restore it. */
class Scene {
  readonly snapshot: SampleSnapshot;
  readonly step: RestoreStep;
  readonly root: string;
  granted = new Map<PackId, Uint8Array>();
  readonly #session: SnapshotSession;

  constructor(snapshot: SampleSnapshot, root: string) {
    this.snapshot = snapshot;
    this.root = root;
    const { network, compute, sealer, clock, log, entries } = snapshot;
    const located = new Map(
      [...entries].map(([pack, entry]) => [pack, { entry, holders: snapshot.holders(pack) }]),
    );
    this.#session = new SnapshotSession({
      ...{ network, compute, sealer, clock, log },
      ledger: { roster: { datasetOf: () => ({ id: dataset }) } } as never,
      peers: { reachable: () => [] } as never,
      view: { holders: async () => located } as never,
    });
    this.step = new RestoreStep({
      session: this.#session,
      clock,
      ledger: { manifest: (hash) => (hash === snapshotId ? (this.record as never) : undefined) },
      places: restorePlaces({ forbidden: [] }),
      keys: { keysOf: async () => this.granted, grantIndex: () => 0 },
    });
  }

  get record() {
    return { hash: snapshotId, statement: { writer }, manifest: this.snapshot.manifest };
  }

  /** What an operator does with the epoch identity. */
  async grant(): Promise<void> {
    const record = this.record as never;
    const { frames } = await this.#session.openPacks(record, { identities: ['IDENTITY-1'] });
    await using _ = frames;
    const packs = [...this.snapshot.entries.values()];
    const view = { packs: async () => packs } as never;
    const keys = await collectPackKeys({ record, view, frames });
    expect(keys).toMatchObject({ dataset, snapshot: snapshotId });
    this.granted = new Map(keys.keys);
  }

  task(change: { sequence?: number; path?: string; signal?: AbortSignal; run?: number } = {}) {
    const step = {
      ...{ id: 'restore', kind: 'restore' as const, dataset: 'db', to: join(this.root, 'db') },
      ...{ after: [], timeoutMs: 60_000, attempts: 1 },
    } satisfies PlanStep;
    const document: RestorePlan = {
      ...{ version: 1, name: 'move', target: { site: 'rome' }, created: '', onFailure: 'escalate' },
      datasets: [
        {
          ...{ name: 'db', id: dataset, writer, snapshot: snapshotId },
          ...{ sequence: change.sequence ?? 1, path: change.path ?? '' },
        },
      ],
      steps: [step],
    };
    const { run = 1, signal = new AbortController().signal } = change;
    const fence = { generation: 1, index: 1 };
    const percents: number[] = [];
    const onPercent = (percent: number): number => percents.push(percent);
    return { plan, run, document, step, attempt: 1, fence, signal, onPercent };
  }
}

async function scene(root: string): Promise<Scene> {
  const made = new Scene(await buildSnapshot(tree, { clock: new ManualClock() }), root);
  await made.grant();
  return made;
}

function evidenceOf({ evidence }: StepOutcome): Record<string, number> {
  return JSON.parse(fromUtf8(evidence) ?? '') as Record<string, number>;
}

test('a snapshot is restored with granted pack keys alone', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const outcome = await made.step.perform(made.task());
  expect(outcome).toMatchObject({ state: 'done', detail: '2 files restored, 0 were there' });
  expect(evidenceOf(outcome)).toMatchObject({
    ...{ files: 2, bytes: 400_300, filesSkipped: 0, filesLost: 0, problems: 0 },
    durationMs: expect.any(Number) as number,
  });
  expectSame(new Uint8Array(readFileSync(join(made.root, 'db', 'data'))), noise(400_000, 2));
});

test('doing it again restores what differs, and another run keeps out', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  await made.step.perform(made.task());
  const hosts = join(made.root, 'db', 'etc', 'hosts');
  writeFileSync(hosts, 'changed meanwhile');
  const again = await made.step.perform(made.task());
  expect(evidenceOf(again)).toMatchObject({ files: 1, filesSkipped: 1 });
  expectSame(new Uint8Array(readFileSync(hosts)), noise(300, 1));
  await expect(made.step.perform(made.task({ run: 2 }))).rejects.toMatchObject({
    code: 'unsafe-target',
  });
});

test('a path of the plan restores that part alone', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const outcome = await made.step.perform(made.task({ path: 'etc' }));
  expect(evidenceOf(outcome)).toMatchObject({ files: 1, bytes: 300 });
  expect(readFileSync(join(made.root, 'db', 'hosts'))).toHaveLength(300);
});

test('a file that cannot be had is a failure, and the others are there', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const { snapshot } = made;
  for (let index = 0; index < 3; index++) {
    snapshot.network.take(peerAt(index), snapshot.dataPacks[0] as PackId, index);
  }
  const outcome = await made.step.perform(made.task());
  expect(outcome.state).toBe('failed');
  expect(outcome.detail).toMatch(/2 files could not be had; the first problem: \/.*: pack/);
  expect(evidenceOf(outcome)).toMatchObject({ files: 0, filesLost: 2 });
});

test('without the key of a pack nothing is written', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  made.granted.clear();
  await expect(made.step.perform(made.task())).rejects.toMatchObject({ code: 'wrong-key' });
  expect(() => readFileSync(join(made.root, 'db'))).toThrow(/ENOENT/);
});

test('a snapshot that is not what the plan says of it is not restored', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  await expect(made.step.perform(made.task({ sequence: 2 }))).rejects.toMatchObject({
    code: 'corrupt',
  });
  const task = made.task();
  const [first] = task.document.datasets;
  const other = { ...first, snapshot: 'e1'.repeat(32) as StatementHash };
  const document = { ...task.document, datasets: [other] } as RestorePlan;
  await expect(made.step.perform({ ...task, document })).rejects.toMatchObject({
    code: 'not-found',
  });
});

test("somebody else's files are not restored over", async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  mkdirSync(join(made.root, 'db'));
  writeFileSync(join(made.root, 'db', 'precious'), 'mine');
  await expect(made.step.perform(made.task())).rejects.toMatchObject({ code: 'unsafe-target' });
});

test('a cancelled restore ends with the reason', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const stop = new AbortController();
  stop.abort(new HoldfastError('interrupted', 'enough'));
  await expect(made.step.perform(made.task({ signal: stop.signal }))).rejects.toMatchObject({
    code: 'interrupted',
  });
});

test('undoing moves what was restored aside, and is done when nothing was', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  expect(await made.step.undo(made.task())).toMatchObject({ state: 'done' });
  await made.step.perform(made.task());
  const outcome = await made.step.undo(made.task());
  expect(outcome).toMatchObject({
    state: 'done',
    detail: `moved to ${join(made.root, 'db.undone-1')}`,
  });
  expect(readFileSync(join(made.root, 'db.undone-1', 'data'))).toHaveLength(400_000);
  expect(await made.step.undo(made.task())).toMatchObject({ state: 'done' });
});
