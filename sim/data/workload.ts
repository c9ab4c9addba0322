import type { Agent } from '../../src/agent/agent.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { printable } from '../../src/base/bytes.ts';
import type { Prng } from '../prng.ts';
import type { DataAgent, Run } from './agent.ts';
import { BlankMachine } from './blank.ts';
import type { DataCluster } from './cluster.ts';
import type { Snapshot } from './observation.ts';
import { Scribe } from './scribe.ts';

/** A backup under way at a source. */
type Backup = {
  readonly run: Run;
  readonly fromVersion: number;
  readonly problems: Set<string>;
  readonly stop: AbortController;
};

const blanksMax = 2;

/** What people do: change files, back up, check, look at the status, restore on blank machines. */
export class DataWorkload {
  readonly #cluster: DataCluster;
  readonly #random: Prng;
  readonly #backups = new Map<DataAgent, Backup>();
  readonly #scribes = new Map<DataAgent, Scribe>();
  #blanks = 0;
  #blankCount = 0;
  /** Backups that have ended well since the end of all trouble. */
  readonly done = new Set<DataAgent>();
  readonly #onBackup: (source: DataAgent) => void;

  /** `onBackup`: told of each that begins. */
  constructor(cluster: DataCluster, onBackup: (source: DataAgent) => void) {
    this.#cluster = cluster;
    this.#onBackup = onBackup;
    this.#random = cluster.world.random.fork();
    for (const agent of cluster.agents.filter(({ isSource }) => isSource)) {
      const scribe = new Scribe(agent.tree, this.#random.fork());
      scribe.begin();
      this.#scribes.set(agent, scribe);
      // Somebody who writes while a backup reads.
      agent.onLook = () => {
        if (!this.#random.chance(cluster.plan.tickMs > 0 ? 200 : 60)) return;
        scribe.again();
        cluster.world.after(this.#random.below(30), () => scribe.again());
      };
    }
    cluster.listen((seen) => {
      if (seen.kind !== 'statement' || seen.event.statement.writer !== seen.agent.agentKey) return;
      if (seen.event.statement.body.kind === 'manifest') this.#signed(seen.agent, seen.event.hash);
    });
  }

  /** One thing or two. */
  step(): void {
    for (const scribe of this.#scribes.values()) {
      if (this.#random.chance(700)) scribe.step();
    }
    const source = this.#random.pick([...this.#scribes.keys()]);
    if (this.#random.chance(300)) this.backUp(source);
    if (this.#random.chance(20)) this.#backups.get(source)?.stop.abort(interrupted());
    if (this.#random.chance(60)) this.#check(this.#random.pick(this.#cluster.agents));
    if (this.#random.chance(60)) this.#askStatus(this.#random.pick(this.#cluster.agents));
    if (this.#random.chance(60)) this.#restoreSome();
  }

  isBusy(agent: DataAgent): boolean {
    const backup = this.#backups.get(agent);
    return backup?.run.life.isAlive === true && agent.run === backup.run;
  }

  backUp(source: DataAgent): void {
    const { agent, run } = source;
    if (agent === undefined || run === undefined || this.isBusy(source)) return;
    const fromVersion = source.tree.version;
    const backup = { run, fromVersion, problems: new Set<string>(), stop: new AbortController() };
    this.#backups.set(source, backup);
    this.#cluster.world.note(`${source.name} begins a backup`);
    this.#onBackup(source);
    this.#watch(source, backup, agent).catch((error) => this.#failed(source, backup, error));
  }

  async #watch(source: DataAgent, backup: Backup, agent: Agent): Promise<void> {
    const job = await agent.backupJob({ ...plainRequest, dataset: source.name });
    const events = agent.backup.run(job, backup.stop.signal);
    for await (const event of events) {
      if (event.kind === 'problem') backup.problems.add(printable(event.path));
      if (event.kind !== 'done') continue;
      const { durability, words, problems } = event.result;
      const state = durability?.state ?? 'nothing';
      this.#cluster.world.note(
        `${source.name} has backed up: ${state}, ${problems} problems, ${words}`,
      );
      this.#cluster.world.meet(`backup ${state}`);
      if (durability?.state === 'committed') this.done.add(source);
      const hash = event.result.record?.hash;
      const snapshot = hash === undefined ? undefined : this.#cluster.snapshots.get(hash);
      if (snapshot === undefined || durability?.state !== 'committed') continue;
      snapshot.stated = Math.max(snapshot.stated ?? 0, durability.sitesMayFail);
    }
    this.#backups.delete(source);
  }

  #failed(source: DataAgent, backup: Backup, error: unknown): void {
    if (this.#backups.get(source) === backup) this.#backups.delete(source);
    if (!backup.run.life.isAlive) return;
    if (error instanceof HoldfastError) {
      this.#cluster.world.note(`${source.name} could not back up: ${error.code} ${error.message}`);
      this.#cluster.world.meet(`backup failed: ${error.code}`);
      return;
    }
    this.#cluster.fail('failure', String((error as Error).stack ?? error));
  }

  /** The scan is over: from now on the snapshot is what it is. */
  #signed(source: DataAgent, hash: Snapshot['hash']): void {
    const record = source.run?.agent?.ledger.manifest(hash);
    const backup = this.#backups.get(source);
    if (record === undefined || backup === undefined || backup.run !== source.run) return;
    const { fromVersion, problems } = backup;
    const faces = source.tree.faces(fromVersion, source.tree.version);
    this.#cluster.snapshots.set(hash, { hash, record, source, faces, problems, stated: undefined });
  }

  #check({ agent, run, name }: DataAgent): void {
    if (agent === undefined || run === undefined) return;
    const { signal } = new AbortController();
    const work = async (): Promise<void> => {
      const request = { readData: this.#random.chance(600), records: agent.ledger.manifests() };
      for await (const event of agent.check.run(request, signal)) {
        if (event.kind !== 'done') continue;
        this.#cluster.world.note(`${name} has checked: ${event.result.badShards} bad shards`);
        this.#cluster.world.meet(event.result.badShards > 0 ? 'check found damage' : 'check ended');
      }
    };
    this.#carry(work(), run);
  }

  #askStatus({ agent, run }: DataAgent): void {
    if (agent === undefined || run === undefined) return;
    this.#carry(
      agent.status.datasets().then(() => {}),
      run,
    );
    agent.status.warnings();
  }

  #carry(work: Promise<void>, { life }: { readonly life: Run['life'] }): void {
    work.catch((error: unknown) => {
      if (error instanceof HoldfastError || !life.isAlive) return;
      this.#cluster.fail('failure', String((error as Error).stack ?? error));
    });
  }

  /** Somebody with the kit wants to see whether it can be done. */
  #restoreSome(): void {
    const snapshots = [...this.#cluster.snapshots.values()];
    if (snapshots.length === 0 || this.#blanks >= blanksMax) return;
    const work = async (): Promise<void> => {
      this.#blanks++;
      await using machine = await this.blank();
      const snapshot = this.#random.pick(snapshots);
      await this.restoreAt(machine.blank, snapshot, false);
    };
    const over = (): void => {
      this.#blanks--;
    };
    this.#carry(work().finally(over), { life: { isAlive: true } });
  }

  /** A machine that has met whom it could meet. */
  async blank(): Promise<{ blank: BlankMachine } & AsyncDisposable> {
    const { world, internet, weather, founding, parts, agents } = this.#cluster;
    const number = ++this.#blankCount;
    const options = { world, internet, weather, founding, parts, number };
    const blank = await BlankMachine.open(options);
    const from = this.#random.below(agents.length);
    const contacts = [...agents.slice(from), ...agents.slice(0, from)].map(
      ({ person, address }) => ({ peer: person.peerKey, multiaddrs: [address] }),
    );
    await blank.meet(contacts);
    return { blank, [Symbol.asyncDispose]: () => blank.close() };
  }

  async restoreAt(machine: BlankMachine, snapshot: Snapshot, isOwed: boolean): Promise<void> {
    const { world } = this.#cluster;
    const record = machine.ledger.manifest(snapshot.hash);
    if (record === undefined) {
      if (isOwed) this.#cluster.fail('restorable', `no member knows ${snapshot.hash.slice(0, 8)}`);
      return;
    }
    const restored = await machine.restore(record);
    const { refusal, problems, target } = restored;
    const what = refusal?.code ?? `${target.faces.size} entries, ${problems.size} problems`;
    world.note(`restored ${snapshot.hash.slice(0, 8)}: ${what}`);
    world.meet(refusal === undefined ? 'restore' : `restore refused: ${refusal.code}`);
    if (problems.size > 0) world.meet('restore with files that it names as lost');
    this.#cluster.see({ kind: 'restored', snapshot, restored, isOwed });
  }
}

function interrupted(): HoldfastError {
  return new HoldfastError('interrupted', 'somebody has changed their mind');
}

const plainRequest = {
  tags: [],
  exclude: [],
  iexclude: [],
  excludeIfPresent: [],
  excludeCaches: false,
  oneFileSystem: false,
  dryRun: false,
  force: false,
};
