import { receiptStream } from '../../src/core/format/statement.ts';
import type { Prng } from '../prng.ts';
import type { DataAgent } from './agent.ts';
import { signedIn } from './cast.ts';
import type { DataCluster } from './cluster.ts';
import type { DiskImage } from './disk.ts';
import type { HarmKind } from './plan.ts';
import type { ShardFile } from './shard-files.ts';

/** Copies of disks are kept from this often, for the day when one goes back in time. */
const imagePeriodMs = 10_000;

/** What no restart makes good again. */
export class Harm {
  readonly #cluster: DataCluster;
  readonly #random: Prng;
  readonly #images = new Map<DataAgent, DiskImage>();

  constructor(cluster: DataCluster) {
    this.#cluster = cluster;
    this.#random = cluster.world.random.fork();
    const kinds = new Set(cluster.plan.faults.map(({ kind }) => kind));
    if (kinds.has('roll-back')) this.#takeImages();
  }

  #takeImages(): void {
    const { plan, world } = this.#cluster;
    const number = this.#random.pick(plan.victims);
    const agent = this.#cluster.at(number);
    if (this.#random.chance(500)) this.#images.set(agent, agent.disk.image());
    world.after(imagePeriodMs, () => this.#takeImages());
  }

  apply(agent: DataAgent, kind: HarmKind, spanMs: number): void {
    const { world } = this.#cluster;
    if (agent.isGone || !agent.isMember) return;
    switch (kind) {
      case 'rot':
        this.#spoil(agent, (file) => this.#flip(file));
        return;
      case 'misdirected':
        this.#misdirect(agent);
        return;
      case 'lost-write':
        agent.crash();
        this.#loseWrites(agent);
        world.after(spanMs, () => agent.startAgain());
        return;
      case 'rot-fact':
        this.#rotFact(agent);
        return;
      case 'roll-back':
        this.#rollBack(agent, spanMs);
        return;
      case 'lose-shards':
        agent.crash();
        agent.disk.shards.empty();
        world.after(spanMs, () => agent.startAgain());
        return;
      case 'burn':
        agent.isGone = true;
        agent.crash();
        return;
      case 'clone':
        this.#clone(agent);
        return;
      case 'equivocate':
        void this.#equivocate(agent);
    }
  }

  #spoil(agent: DataAgent, spoil: (file: ShardFile) => void): void {
    const { shards } = agent.disk;
    for (const [name, file] of shards.files) {
      if (!this.#random.chance(300)) continue;
      shards.harm(name);
      spoil(file);
    }
  }

  #flip(file: ShardFile): void {
    const isHead = this.#random.chance(100);
    const bytes = (isHead ? file.head : file.bytes).slice();
    const at = this.#random.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << this.#random.below(8));
    if (isHead) file.head = bytes;
    else file.bytes = bytes;
  }

  /** What was meant for one file has gone into another. */
  #misdirect({ disk }: DataAgent): void {
    const names = [...disk.shards.files.keys()];
    if (names.length < 2) return;
    const [from, to] = [this.#random.pick(names), this.#random.pick(names)];
    const source = disk.shards.files.get(from);
    const target = disk.shards.harm(to);
    if (source === undefined || target === undefined || source === target) return;
    target.head = source.head;
    target.bytes = source.bytes;
  }

  /** The disk has said that they were synced. */
  #loseWrites({ disk }: DataAgent): void {
    for (const [name, file] of [...disk.shards.files]) {
      if (!this.#random.chance(300)) continue;
      disk.shards.harm(name);
      if (this.#random.chance(500)) disk.shards.files.delete(name);
      else file.bytes = file.bytes.slice(0, this.#random.below(file.bytes.length));
    }
  }

  #rotFact({ disk }: DataAgent): void {
    disk.hasLostFacts = true;
    for (const [name, fact] of disk.device.facts) {
      if (!this.#random.chance(300) || fact.length === 0) continue;
      const copy = fact.slice();
      copy[this.#random.below(copy.length)] = this.#random.below(256);
      disk.device.facts.set(name, copy);
    }
  }

  /** An old copy of the whole disk is put back, and the host goes on with it. */
  #rollBack(agent: DataAgent, spanMs: number): void {
    const image = this.#images.get(agent);
    if (image === undefined) return;
    const { world } = this.#cluster;
    world.meet('disk gone back in time');
    agent.crash();
    agent.disk.rollBack(image);
    agent.disk.hasLostFacts = true;
    world.after(spanMs, () => agent.startAgain());
  }

  /** A copy of the whole machine is started beside it. */
  #clone(agent: DataAgent): void {
    const { world, clones } = this.#cluster;
    if (agent.run === undefined || clones.length > 0) return;
    world.meet('host that runs twice');
    this.#cluster.suspect(agent);
    const clone = this.#cluster.host(agent.person);
    clone.address = `${agent.address}-copy`;
    for (const name of agent.disk.device.heads()) {
      for (const entry of agent.disk.device.entriesOf(name)) clone.disk.device.add(name, entry);
    }
    for (const [name, record] of agent.disk.keyRecords) clone.disk.keyRecords.set(name, record);
    clone.disk.rollBack(agent.disk.image());
    for (const [name, secret] of agent.disk.secrets) clone.disk.secrets.set(name, secret);
    clones.push(clone);
    clone.startAgain();
  }

  /** It signs another history than the one that others have, and shows it to one of them. */
  async #equivocate(agent: DataAgent): Promise<void> {
    const { founding, world } = this.#cluster;
    const ledger = agent.agent?.ledger;
    const head = ledger?.head(agent.agentKey, receiptStream);
    const [manifest] = ledger?.manifests() ?? [];
    if (ledger === undefined || head === undefined || manifest === undefined) return;
    this.#cluster.suspect(agent);
    world.meet('second history signed');
    const before =
      head.sequence === 1
        ? undefined
        : { sequence: head.sequence - 1, hash: await previousHash(agent, head.sequence) };
    const other = signedIn(founding.cluster, {
      secret: agent.person.statementSecret,
      body: {
        kind: 'receipt',
        manifest: manifest.hash,
        holdings: [],
        freeBytes: this.#random.below(1000),
        shardCount: 0,
      },
      after: before,
    });
    const readers = this.#cluster.running();
    if (readers.length === 0) return;
    await this.#random.pick(readers).agent?.ledger.ingest(other.envelope);
  }
}

async function previousHash(agent: DataAgent, sequence: number): Promise<Uint8Array> {
  const hash = await agent.agent?.ledger.hashAt(agent.agentKey, receiptStream, sequence - 1);
  return hash ?? new Uint8Array(32);
}
