import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ageSealer } from '../../../../src/adapters/age/sealer.ts';
import { memoryFactStore } from '../../../../src/adapters/fs/fact-store.ts';
import { restorePlaces } from '../../../../src/adapters/fs/restore-place.ts';
import { hourMs } from '../../../../src/base/units.ts';
import type { CommandHash, ControlBody } from '../../../../src/core/format/control-records.ts';
import type { Manifest } from '../../../../src/core/format/records.ts';
import type { AgentKey, PackId, StatementHash } from '../../../../src/core/ids.ts';
import type { AuditEvent } from '../../../../src/services/audit/audit-log.ts';
import { FrameReader } from '../../../../src/services/frame-reader.ts';
import {
  GrantedRestore,
  type GrantedOrder,
} from '../../../../src/services/grants/granted-restore.ts';
import { OneTimeKeys } from '../../../../src/services/grants/one-time-keys.ts';
import { NotingPacks, packsOfPath } from '../../../../src/services/grants/path-packs.ts';
import { RestoreRequests } from '../../../../src/services/grants/restore-requests.ts';
import { GrantFacts } from '../../../../src/services/plan/grant-facts.ts';
import { sealGrant } from '../../../../src/services/plan/grant.ts';
import type { RestoreEvent } from '../../../../src/services/restore.ts';
import { SnapshotSession } from '../../../../src/services/snapshot-session.ts';
import {
  buildSnapshot,
  dataset,
  directory,
  file,
  noise,
  type SampleSnapshot,
} from '../../../support/build-snapshot.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { expectSame } from '../../../support/same-bytes.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';
import { bergen } from '../../core/protocol/control/sample-control.ts';
import { OperatorsControl } from '../../core/protocol/control/sample-operators.ts';

const writer = '0e'.repeat(32) as AgentKey;
const snapshot = 'e0'.repeat(32) as StatementHash;
const tree = {
  etc: directory({ hosts: file(300, 1) }),
  srv: directory({ data: { kind: 'file', content: noise(400_000, 2), pack: 1 } }),
};

/** Bergen may ask for a snapshot at five peers; Ada approves and reseals. */
class Scene {
  readonly log = OperatorsControl.begin();
  readonly events: AuditEvent[] = [];
  readonly secrets = new Map<string, Uint8Array>();
  readonly requests: RestoreRequests;
  readonly restores: GrantedRestore;
  readonly root: string;
  readonly #snapshot: SampleSnapshot;
  readonly #session: SnapshotSession;

  constructor(sample: SampleSnapshot, root: string) {
    this.root = root;
    this.#snapshot = sample;
    const { network, compute, sealer, clock, entries } = sample;
    const log = collectingLog();
    const located = new Map(
      [...entries].map(([pack, entry]) => [pack, { entry, holders: sample.holders(pack) }]),
    );
    this.#session = new SnapshotSession({
      ...{ network, compute, sealer, clock, log },
      ledger: { roster: { datasetOf: () => ({ id: dataset }) } } as never,
      peers: { reachable: () => [] } as never,
      view: { holders: async () => located } as never,
    });
    const keys = new OneTimeKeys({ sealer: ageSealer(), secrets: this.#store() });
    const control = this.#control();
    const ledger = {
      manifest: (hash: StatementHash) => (hash === snapshot ? this.record : undefined),
      roster: { datasetOf: () => ({ ruleName: 'db' }) },
    } as never;
    this.requests = new RestoreRequests({ control, ledger, keys, log });
    const facts = new GrantFacts({
      ...{ facts: memoryFactStore(), peers: { reachable: () => [] } },
      sync: { pullFacts: async () => {} } as never,
    });
    this.restores = new GrantedRestore({
      ...{ control, ledger, session: this.#session, facts, keys, clock, sealer: ageSealer() },
      places: restorePlaces({ forbidden: [] }),
      audit: (event) => void this.events.push(event),
    });
  }

  get record() {
    return { hash: snapshot, statement: { writer }, manifest: this.#snapshot.manifest } as never;
  }

  #store() {
    return {
      read: async (name: string) => this.secrets.get(name),
      write: async (name: string, secret: Uint8Array) => void this.secrets.set(name, secret),
    };
  }

  #control() {
    const submit = async (body: ControlBody) => {
      const said = this.log.by(bergen, body);
      const { index } = this.log;
      return said === 'applied'
        ? ({ outcome: 'applied', index } as const)
        : ({ outcome: 'void', reason: said, index } as const);
    };
    return { state: this.log.state, self: bergen.agentKey, submit, onApplied: () => () => {} };
  }

  ask(path = '', lastsMs = hourMs): Promise<CommandHash> {
    return this.requests.ask({ snapshot, path, lastsMs, reason: 'lost' });
  }

  /** What whoever holds the epoch's identity does. @returns the packs whose keys it gave. */
  async reseal(id: CommandHash): Promise<ReadonlySet<PackId>> {
    const { compute, sealer, entries } = this.#snapshot;
    const { manifest } = this.#snapshot as { manifest: Manifest };
    const { path, recipient } = this.log.state.restoreGrants.of(id)?.request ?? { path: '' };
    const packs = new NotingPacks(await this.#session.packsOf(this.record));
    const identities = ['IDENTITY-1'];
    await using frames = new FrameReader({ packs, compute, sealer, dataset, identities });
    const wanted =
      path === ''
        ? new Set(entries.keys())
        : await packsOfPath({ manifest, path, frames, packs, cancel: {} });
    const keys = new Map<PackId, Uint8Array>();
    for (const pack of wanted) keys.set(pack, await frames.packKey(pack));
    const { sealed } = await sealGrant({
      ...{ snapshots: [{ dataset, snapshot, keys }], recipient: recipient ?? '' },
      sealer: ageSealer(),
    });
    const part = { kind: 'inline', bytes: sealed } as const;
    const body = { kind: 'restore-grant', request: id, sealed: part, packs: keys.size } as const;
    expect(this.log.signed(body, 'Ada')).toBe('applied');
    return wanted;
  }

  async granted(path = '', lastsMs = hourMs): Promise<CommandHash> {
    const id = await this.ask(path, lastsMs);
    this.log.approve(id, 'Ada');
    await this.reseal(id);
    return id;
  }

  async restore(id: CommandHash, change: Partial<GrantedOrder> = {}): Promise<RestoreEvent[]> {
    const order = {
      id,
      target: join(this.root, 'back'),
      path: undefined,
      include: [],
      exclude: [],
    };
    const events: RestoreEvent[] = [];
    for await (const event of this.restores.run({ ...order, ...change })) events.push(event);
    return events;
  }

  state(id: CommandHash): string | undefined {
    return this.log.state.restoreGrants.of(id)?.state;
  }

  /** Identities that this host still has. */
  get kept(): number {
    return [...this.secrets.values()].filter(({ length }) => length > 0).length;
  }
}

async function scene(root: string): Promise<Scene> {
  return new Scene(await buildSnapshot(tree, { clock: new ManualClock() }), root);
}

test('what was granted is restored once, and what opened it is forgotten', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const id = await made.granted();
  expect(made.kept).toBe(1);
  const events = await made.restore(id);
  expect(events.at(-1)).toMatchObject({ type: 'summary', summary: { files: 2, filesLost: 0 } });
  const data = join(made.root, 'back', 'srv', 'data');
  expectSame(new Uint8Array(readFileSync(data)), noise(400_000, 2));
  expect(made.state(id)).toBe('used');
  expect(made.kept).toBe(0);
  const again = made.restore(id, { target: join(made.root, 'other') });
  await expect(again).rejects.toMatchObject({ code: 'not-permitted', details: { state: 'used' } });
  expect(made.events.map(({ action }) => action)).toEqual([
    'began to restore under a grant',
    'restored under a grant',
  ]);
});

test('nothing is restored before enough have approved, or before there are keys', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const id = await made.ask();
  await expect(made.restore(id)).rejects.toMatchObject({ code: 'approval-needed' });
  made.log.approve(id, 'Ada');
  await expect(made.restore(id)).rejects.toMatchObject({ code: 'approval-needed' });
  await expect(made.restore('ab'.repeat(32) as CommandHash)).rejects.toMatchObject({
    code: 'not-found',
  });
  expect(existsSync(join(made.root, 'back'))).toBe(false);
});

test('the keys of a path are those of the packs that it needs, and restore it alone', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const id = await made.ask('/etc');
  made.log.approve(id, 'Ada');
  const whole = await made.ask();
  made.log.approve(whole, 'Ada');
  const [some, all] = [await made.reseal(id), await made.reseal(whole)];
  expect(some.size).toBe(all.size - 1);
  await expect(made.restore(id, { path: '/srv' })).rejects.toMatchObject({ code: 'not-permitted' });
  await expect(made.restore(id, { path: '/etcetera' })).rejects.toThrow('for /etc alone');
  await made.restore(id);
  expect(readdirSync(join(made.root, 'back'))).toEqual(['hosts']);
  expect(made.state(id)).toBe('used');
});

test('one that broke off goes on in its own directory, and in no other', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const id = await made.granted();
  const order = { id, target: join(made.root, 'back'), path: undefined, include: [], exclude: [] };
  const signal = AbortSignal.abort(new Error('the line broke'));
  const broken = made.restores.run(order, { signal }).next();
  await expect(broken).rejects.toThrow('the line broke');
  expect(made.state(id)).toBe('in-use');
  const other = made.restore(id, { target: join(made.root, 'other') });
  await expect(other).rejects.toThrow('it restores once');
  const events = await made.restore(id);
  expect(events.at(-1)).toMatchObject({ type: 'summary' });
  expect(made.state(id)).toBe('used');
});

test('a directory that is somebody else’s does not use the grant up', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const id = await made.granted();
  await made.restore(await made.granted());
  await expect(made.restore(id)).rejects.toMatchObject({ code: 'unsafe-target' });
  expect(made.state(id)).toBe('granted');
});

test('identities of requests that were denied, or have expired, are forgotten', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  const denied = await made.ask();
  const late = await made.granted('', hourMs);
  const open = await made.ask();
  for (const name of ['Ada', 'Bea', 'Cid'] as const) {
    made.log.signed({ kind: 'deny', hash: denied, reason: 'no' }, name);
  }
  made.log.passTo(0);
  made.log.passTo(hourMs);
  expect(made.state(late)).toBe('expired');
  expect(made.kept).toBe(3);
  await made.requests.start();
  expect(made.kept).toBe(1);
  expect(made.log.proposal(open).state).toBe('open');
});

test('a request that the log refuses leaves no identity behind', async () => {
  await using scratch = scratchDirectory();
  const made = await scene(scratch.path);
  for (let i = 0; i < 8; i++) await made.ask();
  await expect(made.ask()).rejects.toMatchObject({ code: 'not-permitted' });
  expect(made.kept).toBe(8);
});
