import { openCommand } from '../../../src/core/format/control-envelope.ts';
import type { ControlCommand } from '../../../src/core/format/control-records.ts';
import type { ClusterId, DatasetId } from '../../../src/core/ids.ts';
import type { Incarnation } from '../../../src/core/protocol/control/incarnation-book.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/**
 * A dataset is live at one agent, and moves to another only after the one before was off by its own word or the
 * operators', by the grants of a majority of the voters that the slot was opened with.
 */
export class OneLive implements ControlChecker {
  readonly name = 'one-live';
  readonly #known = new Map<DatasetId, { readonly index: number; readonly one: Incarnation }>();
  /** What was asked for with the right signatures, as the log says: of whom, of which dataset. */
  readonly #off = new Set<string>();
  readonly #decided = new Map<string, string>();
  readonly #cluster: ClusterId;

  constructor(cluster: ClusterId) {
    this.#cluster = cluster;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.outcome.outcome !== 'applied') return undefined;
    const { body, index } = seen.command;
    this.#noteEvidence(body);
    for (const one of seen.control.state.incarnations.all()) {
      const text = this.#check(one, index);
      if (text !== undefined) return `at ${index}: ${text}`;
    }
    return undefined;
  }

  #noteEvidence(body: ControlCommand['body']): void {
    if (body.kind === 'demote') this.#off.add(`${body.dataset}/${body.incarnation}`);
    if (body.kind === 'isolate') this.#off.add(body.agent);
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
    if (before.state !== 'live' || (one.state === 'live' && one.holder === before.holder)) {
      return undefined;
    }
    const isProven =
      this.#off.has(`${before.dataset}/${before.incarnation}`) ||
      this.#off.has(before.holder ?? '');
    return isProven ? undefined : `incarnation ${before.incarnation} ends without evidence`;
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
