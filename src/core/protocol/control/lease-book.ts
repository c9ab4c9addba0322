import type { MessageInitShape } from '@bufbuild/protobuf';
import type { LeaseLapse, LeaseRenewal } from '../../format/control-records.ts';
import { idField } from '../../format/field.ts';
import { type LeaseImage, LeaseImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, type DatasetId, idBytes, shortId } from '../../ids.ts';
import { fenceQuorum } from './fence-quorum.ts';
import type { IncarnationBook } from './incarnation-book.ts';
import { imageOnce } from './record-image.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/** The newest renewal of a holder's promise. */
export type Lease = {
  readonly dataset: DatasetId;
  readonly incarnation: number;
  readonly holder: AgentKey;
  /** Counted by the holder from before it has signed the renewal. */
  readonly forMs: number;
  /** Where the renewal stands. */
  readonly generation: number;
  readonly index: number;
  /** Voters that have seen it run out. Sorted. */
  readonly lapsed: readonly AgentKey[];
};

/**
 * Leases: the one way by which silence can prove that a copy is off. The holder stops its copy unless it hears in
 * time that the log has its renewal; voters count from when they have seen the renewal in the log, which is later,
 * and wait longer. No clock is compared with another: both sides count time that passes.
 *
 * After Gray and Cheriton, "Leases", SOSP 1989: safe as long as no steady clock runs faster than another by more
 * than the margin.
 */
export class LeaseBook {
  readonly #leases = new Map<DatasetId, Lease>();
  readonly #incarnations: IncarnationBook;
  readonly #faulty: number;

  constructor(incarnations: IncarnationBook, faulty = 0) {
    this.#incarnations = incarnations;
    this.#faulty = faulty;
  }

  /** Sorted by dataset. Some may be of copies that are not live any more. */
  all(): readonly Lease[] {
    return [...this.#leases.values()].sort((a, b) => (a.dataset < b.dataset ? -1 : 1));
  }

  /** The lease under which the live copy runs; undefined when it runs under none. */
  of(dataset: DatasetId): Lease | undefined {
    const lease = this.#leases.get(dataset);
    const known = this.#incarnations.of(dataset);
    const isLive = known?.state === 'live' && known.holder === lease?.holder;
    return isLive && known.incarnation === lease?.incarnation ? lease : undefined;
  }

  /** `policyMs`: what the policy gives this dataset. @throws HoldfastError not-permitted */
  checkRenewal(
    body: LeaseRenewal,
    context: {
      readonly signer: AgentKey;
      readonly policyMs: number | undefined;
      readonly place: CommandPlace;
    },
  ): Change {
    const { dataset, incarnation, forMs } = body;
    const { signer: holder, policyMs, place } = context;
    const known = this.#incarnations.of(dataset);
    if (known === undefined) throw refusal('no plan has named this dataset');
    if (known.holder !== holder || known.state !== 'live') {
      throw refusal(`${shortId(holder)} does not hold the live copy`);
    }
    if (incarnation !== known.incarnation) {
      throw refusal(`incarnation ${known.incarnation} is current`);
    }
    if (forMs === 0) {
      if (this.of(dataset) === undefined) throw refusal('it holds no lease');
      return () => this.#leases.delete(dataset);
    }
    if (forMs !== policyMs) {
      const asked = policyMs === undefined ? 'no lease' : `a lease of ${policyMs} ms`;
      throw refusal(`the policy gives this dataset ${asked}`);
    }
    const { generation, index } = place;
    const renewed = { dataset, incarnation, holder, forMs, generation, index, lapsed: [] };
    return () => this.#leases.set(dataset, renewed);
  }

  /** live -> off, when enough voters have seen the newest renewal run out. @throws HoldfastError not-permitted */
  checkLapse(body: LeaseLapse, voter: AgentKey, voters: readonly AgentKey[]): Change {
    const lease = this.of(body.dataset);
    if (lease === undefined) throw refusal('no live copy runs under such a lease');
    const { incarnation, generation, index } = lease;
    if (
      body.incarnation !== incarnation ||
      body.generation !== generation ||
      body.index !== index
    ) {
      throw refusal('the lease was renewed meanwhile');
    }
    if (lease.lapsed.includes(voter)) throw refusal('this voter has said so already');
    const lapsed = [...lease.lapsed, voter].sort();
    const count = lapsed.filter((one) => voters.includes(one)).length;
    return () => {
      this.#leases.set(lease.dataset, { ...lease, lapsed });
      if (count >= fenceQuorum(voters.length, this.#faulty)) {
        this.#incarnations.lapse(lease.dataset);
      }
    };
  }

  /** Other voters have seen nothing yet, and count from the beginning. */
  votersReplaced(): void {
    for (const lease of this.all()) this.#leases.set(lease.dataset, { ...lease, lapsed: [] });
  }

  image(): MessageInitShape<typeof LeaseImageSchema>[] {
    return this.all().map(leaseImage);
  }

  load(images: readonly LeaseImage[]): void {
    this.#leases.clear();
    for (const image of images) {
      const dataset = idField<DatasetId>(image.dataset, 16, 'dataset');
      this.#leases.set(dataset, {
        dataset,
        incarnation: image.incarnation,
        holder: idField<AgentKey>(image.holder, 32, 'holder'),
        forMs: Number(image.forMs),
        generation: Number(image.generation),
        index: Number(image.index),
        lapsed: image.lapsed.map((voter) => idField<AgentKey>(voter, 32, 'voter')),
      });
    }
  }
}

const leaseImage = imageOnce(LeaseImageSchema, (lease: Lease) => ({
  dataset: idBytes(lease.dataset),
  incarnation: lease.incarnation,
  holder: idBytes(lease.holder),
  forMs: BigInt(lease.forMs),
  generation: BigInt(lease.generation),
  index: BigInt(lease.index),
  lapsed: lease.lapsed.map(idBytes),
}));
