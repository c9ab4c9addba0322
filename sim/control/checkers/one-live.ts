import { openCommand } from '../../../src/core/format/control-envelope.ts';
import type { ControlCommand } from '../../../src/core/format/control-records.ts';
import type { AgentKey, ClusterId, DatasetId } from '../../../src/core/ids.ts';
import type { Incarnation } from '../../../src/core/protocol/control/incarnation-book.ts';
import type { Slot } from '../../../src/core/protocol/control/slot.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/**
 * A dataset is live at one agent, and moves to another only after the one before was off by its own word or the
 * operators', by the grants of a majority of the voters that the slot was opened with. A slot is given up only when so
 * many voters have abandoned it that nobody can decide it any more, or its candidate is off.
 */
export class OneLive implements ControlChecker {
  readonly name = 'one-live';
  readonly #known = new Map<DatasetId, { readonly index: number; readonly one: Incarnation }>();
  /** What was asked for with the right signatures, as the log says: of whom, of which dataset. */
  readonly #off = new Set<string>();
  /** Where the newest renewal of a lease stands. */
  readonly #renewed = new Map<DatasetId, number>();
  readonly #lapsed = new Map<string, Set<string>>();
  readonly #decided = new Map<string, string>();
  /** Entries by which voters have abandoned an incarnation. */
  readonly #abandoned = new Map<string, Set<number>>();
  readonly #cluster: ClusterId;
  /** Voters that may sign two words. */
  readonly #faulty: number;

  constructor(cluster: ClusterId, faulty: number) {
    this.#cluster = cluster;
    this.#faulty = faulty;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.outcome.outcome !== 'applied') return undefined;
    const { body, index } = seen.command;
    this.#noteEvidence(body, index);
    this.#noteLapse(seen);
    for (const one of seen.control.state.incarnations.all()) {
      const text = this.#check(one, index);
      if (text !== undefined) return `at ${index}: ${text}`;
    }
    return undefined;
  }

  #noteEvidence(body: ControlCommand['body'], index: number): void {
    if (body.kind === 'fence-vote' && body.target === undefined) {
      const slot = `${body.dataset}/${body.incarnation}`;
      this.#abandoned.set(slot, (this.#abandoned.get(slot) ?? new Set()).add(index));
    }
    if (body.kind === 'demote') this.#off.add(`${body.dataset}/${body.incarnation}`);
    if (body.kind === 'isolate') this.#off.add(offKey(body.agent, body.dataset));
  }

  /** The word of a majority that the newest renewal has run out. */
  #noteLapse({ command, control }: Extract<ControlSeen, { kind: 'applied' }>): void {
    const { body, index, envelope } = command;
    if (body.kind === 'lease')
      this.#renewed.set(body.dataset, Math.max(index, this.#renewedAt(body)));
    if (body.kind !== 'lease-lapse' || body.index !== this.#renewedAt(body)) return;
    const place = `${body.dataset}/${body.incarnation}/${body.index}`;
    const said = this.#lapsed.get(place) ?? new Set();
    this.#lapsed.set(place, said);
    for (const signer of openCommand(envelope, this.#cluster).signers) said.add(signer);
    const { voters } = control.state.config;
    const count = voters.filter((voter) => said.has(voter)).length;
    if (2 * count > voters.length) this.#off.add(`${body.dataset}/${body.incarnation}`);
  }

  /** As operators have said: of this dataset, or of all. */
  #isIsolated(agent: AgentKey, dataset: DatasetId): boolean {
    return this.#off.has(offKey(agent, undefined)) || this.#off.has(offKey(agent, dataset));
  }

  #renewedAt({ dataset }: { readonly dataset: DatasetId }): number {
    return this.#renewed.get(dataset) ?? 0;
  }

  #check(one: Incarnation, index: number): string | undefined {
    const known = this.#known.get(one.dataset);
    if (known !== undefined && known.index >= index) return undefined;
    this.#known.set(one.dataset, { index, one });
    return known === undefined ? undefined : (this.#step(known.one, one) ?? this.#proof(one));
  }

  #step(before: Incarnation, one: Incarnation): string | undefined {
    if (one.incarnation < before.incarnation) return `incarnation ${one.incarnation} comes back`;
    if (
      one.slot !== undefined &&
      before.slot !== undefined &&
      one.slot.index !== before.slot.index
    ) {
      return `the slot of incarnation ${before.incarnation} is replaced before it is decided`;
    }
    if (before.slot !== undefined && one.state === 'dead') return this.#death(before, before.slot);
    if (before.state !== 'live' || (one.state === 'live' && one.holder === before.holder)) {
      return undefined;
    }
    const { holder, dataset } = before;
    const isProven =
      this.#off.has(`${dataset}/${before.incarnation}`) ||
      (holder !== undefined && this.#isIsolated(holder, dataset));
    return isProven ? undefined : `incarnation ${before.incarnation} ends without evidence`;
  }

  #death({ dataset, incarnation }: Incarnation, { voters, target }: Slot): string | undefined {
    const slot = `${dataset}/${incarnation}`;
    const count = this.#abandoned.get(slot)?.size ?? 0;
    // Those who have not abandoned it, and those who may sign twice, are too few to grant it.
    const mayGrant = voters.length - count + this.#faulty;
    const isOver = 2 * mayGrant < voters.length + this.#faulty + 1;
    if (isOver || this.#isIsolated(target, dataset)) return undefined;
    return `slot ${slot} is given up by ${count} of ${voters.length} voters`;
  }

  #proof({ certificate, incarnation, state, holder, dataset }: Incarnation): string | undefined {
    if (state !== 'live' || incarnation === 0 || certificate === undefined) return undefined;
    if (certificate.incarnation !== incarnation) return `incarnation ${incarnation} has no proof`;
    const key = `${dataset}/${incarnation}`;
    const decided = this.#decided.get(key) ?? certificate.target;
    this.#decided.set(key, decided);
    if (decided !== certificate.target) return `slot ${key} is decided twice`;
    if (holder !== certificate.target) return `slot ${key} was decided for another agent`;
    const granted = certificate.votes.flatMap((envelope) => {
      const { command, signers } = openCommand(envelope, this.#cluster);
      const isGrant = command.body.kind === 'fence-vote' && command.body.target === holder;
      return isGrant ? [...signers].filter((key) => certificate.voters.some((v) => v === key)) : [];
    });
    const isEnough = 2 * new Set(granted).size > certificate.voters.length;
    return isEnough ? undefined : `slot ${key} is decided by ${new Set(granted).size} voters`;
  }
}

function offKey(agent: AgentKey, dataset: DatasetId | undefined): string {
  return `${agent}/${dataset ?? ''}`;
}
