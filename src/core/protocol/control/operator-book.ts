import type { MessageInitShape } from '@bufbuild/protobuf';
import { isAcceptableKey } from '../../crypto/signature.ts';
import type { OperatorChange } from '../../format/control-records.ts';
import type {
  OperatorsImage,
  OperatorsImageSchema,
} from '../../format/gen/holdfast/v1/control_pb.js';
import type { Genesis, Operator } from '../../format/records.ts';
import { type AgentKey, idBytes, shortId } from '../../ids.ts';
import { appendBounded, controlBounds } from './control-bounds.ts';
import { commandOfEvidence } from './evidence.ts';
import type { MemberBook } from './member-book.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import { newest, requireNext, type Versioned, versionFrom, versionImage } from './versioned.ts';

export type OperatorVersion = Versioned<OperatorChange> & {
  /** Envelopes that together hold the command and its signatures; none for what the genesis says. */
  readonly evidence: readonly Uint8Array[];
};

/**
 * Who the operators are, version by version. As for TUF's roots: a version counts when the threshold of the
 * version before has signed it, and its own threshold of its own operators too. So nobody can be made one
 * without the others, and what follows never depends on keys that nobody has.
 */
export class OperatorBook {
  readonly #genesis: Genesis;
  #versions: OperatorVersion[];

  constructor(genesis: Genesis) {
    this.#genesis = genesis;
    const { operators, operatorThreshold: threshold } = genesis;
    const value = { version: 1, base: 0, threshold, operators };
    this.#versions = [{ value, authors: [], index: 0, timeMs: 0, evidence: [] }];
  }

  get current(): OperatorChange {
    return newest(this.#versions).value;
  }

  /** Oldest first, the current one last; at most controlBounds.historyMax. */
  get history(): readonly OperatorVersion[] {
    return this.#versions;
  }

  /** By key, among those of now. */
  of(key: string): Operator | undefined {
    return this.current.operators.find((operator) => operator.key === key);
  }

  /** Those of now who signed, sorted. */
  among(signers: ReadonlySet<string>): AgentKey[] {
    return keysAmong(this.current.operators, signers);
  }

  /** What is missing before these signers may change the operators so; undefined: nothing. */
  objection(next: OperatorChange, signers: ReadonlySet<string>): string | undefined {
    for (const { threshold, operators } of [this.current, next]) {
      const { length } = keysAmong(operators, signers);
      const which = operators === next.operators ? 'new' : 'old';
      if (length < threshold) {
        return `${threshold} of the ${which} operators must sign this, ${length} did`;
      }
    }
    return undefined;
  }

  /** @throws HoldfastError not-permitted */
  check(next: OperatorChange, members: MemberBook, place: CommandPlace): Change {
    requireNext(next, this.current.version);
    const objection = this.objection(next, place.signers);
    if (objection !== undefined) throw refusal(objection);
    for (const { key, name } of next.operators) this.#requireKey(key, name, members);
    const authors = keysAmong([...this.current.operators, ...next.operators], place.signers);
    const { version, base, threshold, operators } = next;
    const value = { version, base, threshold, operators };
    const { index, timeMs, evidence } = place;
    return () => {
      const added = { value, authors, index, timeMs, evidence };
      appendBounded(this.#versions, added, controlBounds.historyMax);
    };
  }

  /** One key, one role. */
  #requireKey(key: AgentKey, name: string, members: MemberBook): void {
    if (!isAcceptableKey(idBytes(key))) throw refusal(`the key of "${name}" is no acceptable key`);
    const isAgents = members
      .everyone()
      .some(({ agent, peer }) => key === agent || key === `${peer}`);
    if (!isAgents && key !== `${this.#genesis.recoveryKey}`) return;
    throw refusal(`${shortId(key)} belongs to an agent or the recovery kit`);
  }

  image(): MessageInitShape<typeof OperatorsImageSchema>[] {
    return this.#versions
      .filter(({ evidence }) => evidence.length > 0)
      .map(({ value: _, evidence, ...rest }) => ({
        evidence: [...evidence],
        ...versionImage(rest),
      }));
  }

  load(images: readonly OperatorsImage[]): void {
    const [first] = this.#versions;
    const loaded = images.map((image): OperatorVersion => {
      const { body } = commandOfEvidence(image.evidence);
      if (body.kind !== 'operators') throw refusal('a version of the operators is none');
      const { kind: _, ...value } = body;
      const evidence = image.evidence.map((envelope) => envelope.slice());
      return { value, evidence, ...versionFrom(image) };
    });
    this.#versions =
      loaded.length < controlBounds.historyMax && first ? [first, ...loaded] : loaded;
  }
}

function keysAmong(operators: readonly Operator[], signers: ReadonlySet<string>): AgentKey[] {
  const keys = new Set(operators.map(({ key }) => key).filter((key) => signers.has(key)));
  return [...keys].sort();
}
