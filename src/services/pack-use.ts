import { decodePackSegment, type PackEntry } from '../core/format/facts.ts';
import { manifestStream } from '../core/format/statement.ts';
import { type AgentKey, type DatasetId, type FactHash, idBytes, type PackId } from '../core/ids.ts';
import { hasSequence } from '../core/policy/sequence-ranges.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import { discarded } from '../core/protocol/control/fate.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';

export type PackUseOptions = {
  readonly ledger: Ledger;
  readonly facts: FactStore;
  /** The control state as this host has applied it. */
  readonly state: () => ControlState;
};

/** A pack with the discarded snapshots that name it, or may name it; `size` before coding. */
export type UnneededPack = {
  readonly users: readonly ManifestRecord[];
  readonly size: number;
  readonly k: number;
  readonly m: number;
};

/** Packs that only discarded snapshots name; or why that cannot be told. */
export type Unneeded =
  | { readonly packs: ReadonlyMap<PackId, UnneededPack> }
  | { readonly unknown: string };

const listMissing = 'a list of packs has not arrived here';
/** Candidates that are looked for in the lists of live snapshots at once: bounds the memory, not the result. */
const candidatesMax = 50_000;

/**
 * Which packs are still needed. A pack is needed as long as any snapshot that is not discarded names it, whoever
 * has written that snapshot. When this host does not know for certain, it says so, and nothing is deleted.
 */
export class PackUse {
  readonly #options: PackUseOptions;

  constructor(options: PackUseOptions) {
    this.#options = options;
  }

  /** Whether the snapshot is in the trash, or gone. */
  isDiscarded({ statement, manifest }: ManifestRecord): boolean {
    const fate = this.#options.state().fates.of(statement.writer, manifest.dataset);
    return fate !== undefined && hasSequence(discarded(fate), manifest.sequence);
  }

  /** Datasets of which something is discarded. */
  datasets(): DatasetId[] {
    const fates = this.#options.state().fates.all();
    const some = fates.filter((fate) => discarded(fate).length > 0);
    return [...new Set(some.map(({ dataset }) => dataset))];
  }

  /** Those packs of a dataset that nothing needs, as far as `isWanted` asks for them. */
  async unneeded(dataset: DatasetId, isWanted: (pack: PackId) => boolean): Promise<Unneeded> {
    const reason = this.objection(dataset);
    if (reason !== undefined) return { unknown: reason };
    if (!this.datasets().includes(dataset)) return { packs: new Map() };
    const records = this.#options.ledger.manifests(dataset);
    const dead = records.filter((record) => this.isDiscarded(record));
    const live = await this.#segmentsOfAll(records.filter((record) => !this.isDiscarded(record)));
    const found = new Map<
      PackId,
      Omit<UnneededPack, 'users'> & { readonly users: Set<ManifestRecord> }
    >();
    const unlisted = new Set<ManifestRecord>();
    for (const [segment, users] of await this.#usersOf(dead, live)) {
      const packs = await this.#packsOf(segment);
      // What only a lost list names stays. But it may name any of the others too, and then its lock counts.
      if (packs === undefined) for (const user of users) unlisted.add(user);
      for (const { pack, size, k, m } of packs ?? []) {
        if (!isWanted(pack)) continue;
        if (found.size >= candidatesMax && !found.has(pack)) continue;
        const known = found.get(pack) ?? { users: new Set(), size, k, m };
        for (const user of users) known.users.add(user);
        found.set(pack, known);
      }
    }
    for (const segment of live) {
      if (found.size === 0) break;
      const packs = await this.#packsOf(segment);
      if (packs === undefined) return { unknown: listMissing };
      for (const { pack } of packs) found.delete(pack);
    }
    const packs = [...found].map(([pack, { users, ...rest }]): [PackId, UnneededPack] => {
      return [pack, { ...rest, users: [...new Set([...users, ...unlisted])] }];
    });
    return { packs: new Map(packs) };
  }

  /** Those of these packs that a snapshot which is not discarded is known to name; others may be needed as well. */
  async needed(packs: ReadonlySet<PackId>): Promise<ReadonlySet<PackId>> {
    const live = this.#options.ledger.manifests().filter((record) => !this.isDiscarded(record));
    const found = new Set<PackId>();
    for (const segment of await this.#segmentsOfAll(live)) {
      const listed = (await this.#packsOf(segment)) ?? [];
      for (const { pack } of listed) if (packs.has(pack)) found.add(pack);
    }
    return found;
  }

  /** Those packs that a snapshot of this line which is not discarded names, and which came before the given sequence. */
  async namedBefore(
    { writer, dataset }: { readonly writer: AgentKey; readonly dataset: DatasetId },
    packs: ReadonlyMap<PackId, number>,
  ): Promise<{ readonly packs: ReadonlySet<PackId> } | { readonly unknown: string }> {
    const reason = this.objection(dataset);
    if (reason !== undefined) return { unknown: reason };
    const firstUses = new Map<FactHash, number>();
    for (const record of this.#options.ledger.manifests(dataset)) {
      if (record.statement.writer !== writer || this.isDiscarded(record)) continue;
      const { sequence } = record.manifest;
      for (const segment of await this.#segmentsOf(record)) {
        firstUses.set(segment, Math.min(firstUses.get(segment) ?? sequence, sequence));
      }
    }
    const found = new Set<PackId>();
    for (const [segment, sequence] of firstUses) {
      const listed = await this.#packsOf(segment);
      if (listed === undefined) return { unknown: listMissing };
      for (const { pack } of listed) if (sequence < (packs.get(pack) ?? 0)) found.add(pack);
    }
    return { packs: found };
  }

  /** Which of these packs any snapshot names, discarded or not, in whatever dataset; or why that cannot be told. */
  async named(
    packs: ReadonlySet<PackId>,
  ): Promise<{ readonly packs: ReadonlySet<PackId> } | { readonly unknown: string }> {
    const { ledger, state } = this.#options;
    for (const { head } of state().anchors.all()) {
      const behind = this.#behind(head.writer, head);
      if (behind !== undefined) return { unknown: behind };
    }
    const found = new Set<PackId>();
    for (const segment of await this.#segmentsOfAll(ledger.manifests())) {
      const listed = await this.#packsOf(segment);
      if (listed === undefined) return { unknown: listMissing };
      for (const { pack } of listed) if (packs.has(pack)) found.add(pack);
    }
    return { packs: found };
  }

  /** Why this host cannot judge what a dataset needs: a snapshot that it does not know may need anything. */
  objection(dataset: DatasetId): string | undefined {
    const { ledger, state } = this.#options;
    for (const { head } of state().anchors.all()) {
      if (head.dataset !== dataset) continue;
      const behind = this.#behind(head.writer, head);
      if (behind !== undefined) return behind;
    }
    const writers = new Set(ledger.writers(dataset));
    for (const fate of state().fates.all()) if (fate.dataset === dataset) writers.add(fate.writer);
    const hasForked = [...writers].some((writer) => this.isFrozen(writer));
    return hasForked ? 'its writer has signed two histories' : undefined;
  }

  /** Nothing of a writer that has signed two histories expires: nobody knows which one is true. */
  isFrozen(writer: AgentKey): boolean {
    const { ledger, state } = this.#options;
    const hasForked = ledger.forks().some((fork) => fork.writer === writer);
    return hasForked || state().findings.equivocations.some(({ agent }) => agent === writer);
  }

  #behind(
    writer: AgentKey,
    { dataset, sequence, hash }: { dataset: DatasetId; sequence: number; hash: string },
  ): string | undefined {
    const { ledger } = this.#options;
    const head = ledger.head(writer, manifestStream(dataset));
    if (head === undefined || head.sequence < sequence)
      return 'newer snapshots have not arrived here';
    const known = ledger
      .manifests(dataset)
      .findLast((one) => one.statement.writer === writer && one.manifest.sequence === sequence);
    return known?.hash === hash ? undefined : 'its history here is not the anchored one';
  }

  async #packsOf(segment: FactHash): Promise<PackEntry[] | undefined> {
    const fact = await this.#options.facts.get(idBytes(segment));
    return fact === undefined ? undefined : decodePackSegment(fact);
  }

  async #segmentsOfAll(records: readonly ManifestRecord[]): Promise<Set<FactHash>> {
    const segments = new Set<FactHash>();
    for (const record of records) {
      for (const segment of await this.#segmentsOf(record)) segments.add(segment);
    }
    return segments;
  }

  async #segmentsOf(record: ManifestRecord): Promise<FactHash[]> {
    return (await this.#options.ledger.packSegments(record)).map(({ hash }) => hash);
  }

  /** The lists that only discarded snapshots have, with the snapshots. */
  async #usersOf(
    dead: readonly ManifestRecord[],
    live: ReadonlySet<FactHash>,
  ): Promise<Map<FactHash, ManifestRecord[]>> {
    const users = new Map<FactHash, ManifestRecord[]>();
    for (const record of dead) {
      for (const segment of await this.#segmentsOf(record)) {
        if (live.has(segment)) continue;
        users.set(segment, [...(users.get(segment) ?? []), record]);
      }
    }
    return users;
  }
}
