import { codeOf, HoldfastError } from '../../core/errors.ts';
import { type AgentKey, shortId } from '../../core/ids.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import { stageOf } from '../../core/protocol/control/fate.ts';
import type { ProvenLog } from '../../core/protocol/control/proven-log.ts';
import type { ManifestRecord } from '../../services/ledger.ts';
import type { RecoveryPeers } from './recovery-peers.ts';

/** What whoever holds the kit should know of a snapshot: members may lie, and may not know everything. */
export class KitDoubts {
  readonly #cluster: RecoveryPeers;
  /** The control log, or why no member could prove any. */
  readonly #proven: ProvenLog | string;

  constructor(cluster: RecoveryPeers, proven: ProvenLog | string) {
    this.#cluster = cluster;
    this.#proven = proven;
  }

  get #state(): ControlState | undefined {
    return typeof this.#proven === 'string' ? undefined : this.#proven.state;
  }

  /** It has expired: its shards are deleted, or will be. */
  isGone({ manifest, statement }: ManifestRecord): boolean {
    const fate = this.#state?.fates.of(statement.writer, manifest.dataset);
    return stageOf(fate, manifest.sequence) === 'gone';
  }

  /** Sentences, none where all is well. */
  of(record: ManifestRecord): string[] {
    const id = shortId(record.hash);
    const { writer } = record.statement;
    const twoHistories = `${this.#nameOf(writer)} has signed two histories: a copy of it, or an older state of it, was running; look whether snapshot ${id} is of the right one`;
    const gone = `snapshot ${id} has expired: members delete what only it needs`;
    return [
      ...this.#hearsay(record),
      ...this.#lies(),
      ...(this.#isAccused(writer) ? [twoHistories] : []),
      ...(this.isGone(record) ? [gone] : []),
    ];
  }

  /**
   * Chooses a snapshot. One that is not found was perhaps there, and was tampered with.
   * @throws HoldfastError bad-signature | (as `select`)
   */
  refusing<T>(select: () => T): T {
    try {
      return select();
    } catch (error) {
      const [lie] = this.#lies();
      if (codeOf(error) !== 'not-found' || lie === undefined) throw error;
      throw new HoldfastError('bad-signature', `${(error as Error).message}; ${lie}`, {
        next: 'look at that member, and ask others: --peer ADDRESS',
        cause: error,
      });
    }
  }

  #lies(): string[] {
    const { ledger, liars } = this.#cluster;
    return [...liars].map(([peer, reason]) => {
      const name = ledger.roster.memberByPeer(peer)?.name ?? shortId(peer);
      return `${name} handed out a statement that was tampered with (${reason})`;
    });
  }

  #isAccused(writer: AgentKey): boolean {
    const found = this.#state?.findings.equivocations ?? [];
    const forks = this.#cluster.ledger.forks();
    return (
      found.some(({ agent }) => agent === writer) || forks.some((one) => one.writer === writer)
    );
  }

  /** What holds only by the writers' own word, since no member could prove the control log. */
  #hearsay(record: ManifestRecord): string[] {
    if (typeof this.#proven !== 'string') return [];
    const unknown = `the control log could not be had (${this.#proven}): what operators have cleared, destroyed or put out is not known here`;
    return [unknown, ...this.#hearsayOfWriters(record)];
  }

  /** Which writer goes on with a dataset is for the control log to say. */
  #hearsayOfWriters({ manifest, statement }: ManifestRecord): string[] {
    const { roster } = this.#cluster.ledger;
    const writers = roster.datasets().filter((one) => one.id === manifest.dataset);
    if (writers.length < 2) return [];
    const { name = shortId(manifest.dataset) } = writers[0] ?? {};
    const names = writers.map(({ writer }) => this.#nameOf(writer)).join(', ');
    return [
      `${name} was written by ${names}; which of them is the live copy is by their own word here: this one is of ${this.#nameOf(statement.writer)}`,
    ];
  }

  #nameOf(agent: AgentKey): string {
    return this.#cluster.ledger.roster.member(agent)?.name ?? shortId(agent);
  }
}
