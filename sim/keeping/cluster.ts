import type { AgentKey, PackId, StatementHash } from '../../src/core/ids.ts';
import { hasSequence } from '../../src/core/policy/sequence-ranges.ts';
import type { Fate } from '../../src/core/protocol/control/fate.ts';
import type { Prng } from '../prng.ts';
import { World } from '../world.ts';
import { dataset, everybody, keepers, source } from './cast.ts';
import { keepingCheckers } from './checkers/all.ts';
import { KeepingControl } from './control.ts';
import { shardName } from './disk.ts';
import { KeepingHost } from './host.ts';
import type { KeepingChecker, KeepingSeen } from './observation.ts';
import type { KeepingParts } from './parts.ts';
import type { Facts, Snapshot } from './snapshot.ts';

export type KeepingViolation = {
  readonly atMs: number;
  readonly checker: string;
  readonly text: string;
};

/** Whose place a shard of a code is; copies lie everywhere. */
export const placeCount = 4;
const committedBy = 3;

/** All hosts, what was backed up, and the checkers that watch. Time is that of the world, in days. */
export class KeepingCluster {
  readonly world: World;
  readonly random: Prng;
  readonly parts: KeepingParts;
  readonly control: KeepingControl;
  readonly hosts: readonly KeepingHost[];
  /** The source has a state of the log, too, and no shards. */
  readonly source: KeepingHost;
  readonly snapshots: Snapshot[] = [];
  readonly facts: Facts = new Map();
  /** When each pack was first placed. */
  readonly placedMs = new Map<PackId, number>();
  /** By whom and when each was signed for first. */
  readonly #witnesses = new Map<StatementHash, Map<AgentKey, number>>();
  readonly #checkers: readonly KeepingChecker[] = keepingCheckers();
  nowMs = 0;
  violation: KeepingViolation | undefined;

  constructor(seed: number, parts: KeepingParts) {
    this.world = new World(seed ^ 0x6b656570);
    this.random = this.world.random.fork();
    this.parts = parts;
    this.control = new KeepingControl(parts);
    this.hosts = keepers.map((person) => new KeepingHost(this, person));
    this.source = new KeepingHost(this, source);
    this.control.onSaid((said) => {
      this.note(`${said.by} says ${said.body.kind}: ${said.outcome}`);
      this.see({ kind: 'said', said });
    });
  }

  get isClean(): boolean {
    return this.violation === undefined;
  }

  note(text: string): void {
    this.world.trace.note(this.nowMs, text);
  }

  fail(checker: string, text: string): void {
    this.violation ??= { atMs: this.nowMs, checker, text };
  }

  see(seen: KeepingSeen): void {
    if ('shard' in seen) {
      const { pack, index } = seen.shard;
      this.note(`${seen.host.name} ${seen.kind}s ${pack.slice(0, 8)} ${index}`);
      this.world.meet(seen.kind);
    }
    for (const checker of this.#checkers) {
      const text = checker.observe?.(seen, this);
      if (text !== undefined) this.fail(checker.name, text);
    }
  }

  look(kind: 'look' | 'settled'): void {
    for (const checker of this.#checkers) {
      const text = checker[kind]?.(this);
      if (text !== undefined) this.fail(checker.name, text);
    }
  }

  /** Whoever runs and votes, the first of them; who is cut off leads nobody. */
  get leader(): KeepingHost | undefined {
    return this.hosts.slice(0, 3).find((host) => host.run !== undefined && !host.isCutOff);
  }

  clocksFor(host: KeepingHost): { site: string; nowMs: number }[] {
    return this.hosts
      .filter((other) => other !== host && other.run !== undefined)
      .map(({ person, wallMs }) => ({ site: person.site, nowMs: wallMs }));
  }

  fate(): Fate | undefined {
    return this.control.state.fates.of(source.agentKey, dataset);
  }

  isGone({ sequence }: Snapshot): boolean {
    return hasSequence(this.fate()?.gone ?? [], sequence);
  }

  /** The snapshots that name a pack. */
  usersOf(pack: PackId): Snapshot[] {
    return this.snapshots.filter(({ packs }) => packs.some((one) => one.pack === pack));
  }

  /** Of a snapshot, what its manifest says of its packs. */
  listsOf(hash: StatementHash): Snapshot['lists'] {
    return this.snapshots.find(({ record }) => record.hash === hash)?.lists ?? [];
  }

  witnessed(hash: StatementHash): ReadonlyMap<AgentKey, number> {
    return this.#witnesses.get(hash) ?? new Map();
  }

  isCommitted(hash: StatementHash): boolean {
    const sites = [...this.witnessed(hash).keys()].map(
      (key) => everybody.find(({ agentKey }) => agentKey === key)?.site,
    );
    return new Set(sites).size >= committedBy;
  }

  /** A host that has all its shards of a snapshot signs for it; what lies in the trash comes back for that. */
  sign(host: KeepingHost, hash: StatementHash): void {
    const snapshot = this.snapshots.find(({ record }) => record.hash === hash);
    if (snapshot === undefined || !this.#takesBack(host, snapshot)) return;
    const witnesses = this.#witnesses.get(hash) ?? new Map<AgentKey, number>();
    this.#witnesses.set(hash, witnesses);
    if (!witnesses.has(host.person.agentKey)) witnesses.set(host.person.agentKey, host.wallMs);
  }

  #takesBack(host: KeepingHost, { packs }: Snapshot): boolean {
    const { held, trash } = host.disk;
    return packs.every(({ pack, k }) => {
      const index = this.indexAt(host, k);
      const name = shardName({ pack, index });
      const shard = trash.get(name);
      if (shard !== undefined) {
        trash.delete(name);
        held.set(name, shard);
      }
      return held.has(name);
    });
  }

  /** Of a pack with this k, the shard that is to lie at a host. */
  indexAt({ person }: KeepingHost, k: number): number {
    const sites = [...new Set(keepers.map(({ site }) => site))];
    return k === 1 ? 0 : sites.indexOf(person.site) % placeCount;
  }
}
