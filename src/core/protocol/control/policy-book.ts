import type { MessageInitShape } from '@bufbuild/protobuf';
import type { PolicyChange } from '../../format/control-records.ts';
import { required } from '../../format/field.ts';
import { type PolicyImage, PolicyImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import type { Genesis, Policy } from '../../format/records.ts';
import type { AgentKey } from '../../ids.ts';
import type { PolicyDocument } from '../../policy/policy-document.ts';
import { type DatasetRule, type PolicyTerms, ruleFor, termsOf } from '../../policy/policy-terms.ts';
import { decodePolicy } from '../../policy/policy-text.ts';
import { appendBounded, controlBounds } from './control-bounds.ts';
import { commandOfEvidence } from './evidence.ts';
import { imageOnce } from './record-image.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import { newest, requireNext, type Versioned, versionFrom, versionImage } from './versioned.ts';

/** One version: what was signed, and what it means. */
export type PolicyInForce = PolicyTerms & {
  readonly version: number;
  readonly base: number;
  readonly document: PolicyDocument;
};

export type PolicyVersion = Versioned<PolicyInForce> & {
  /** Envelopes that together hold the command and its signatures; none for what the genesis says. */
  readonly evidence: readonly Uint8Array[];
};

/** What holds until operators decide otherwise. */
export function firstPolicy({ policy }: { readonly policy: Policy }): PolicyInForce {
  const { version, surviveSites } = policy;
  const document =
    policy.document === undefined
      ? { survive: { sites: surviveSites } }
      : decodePolicy(policy.document);
  return { version, base: version - 1, document, ...termsOf(document, surviveSites) };
}

/** What the cluster promises and does by itself, version by version. */
export class PolicyBook {
  readonly #first: PolicyInForce;
  #versions: PolicyVersion[];

  constructor(genesis: Pick<Genesis, 'policy'>) {
    this.#first = firstPolicy(genesis);
    this.#versions = [{ value: this.#first, authors: [], index: 0, timeMs: 0, evidence: [] }];
  }

  get current(): PolicyInForce {
    return newest(this.#versions).value;
  }

  /** Oldest first, the current one last; at most controlBounds.historyMax. */
  get history(): readonly PolicyVersion[] {
    return this.#versions;
  }

  /** What holds now for datasets of this name. */
  ruleFor(name: string): DatasetRule {
    return ruleFor(this.current, name);
  }

  /** @throws HoldfastError not-permitted | bad-encoding */
  check(policy: PolicyChange, authors: readonly AgentKey[], place: CommandPlace): Change {
    requireNext(policy, this.current.version);
    const value = this.#inForce(policy);
    const { index, timeMs, evidence } = place;
    return () => {
      const version = { value, authors, index, timeMs, evidence };
      appendBounded(this.#versions, version, controlBounds.historyMax);
    };
  }

  image(): MessageInitShape<typeof PolicyImageSchema>[] {
    return this.#versions.map(policyImage);
  }

  load(images: readonly PolicyImage[]): void {
    this.#versions = images.map((image) => ({
      value: image.evidence.length === 0 ? this.#first : this.#valueIn(image.evidence),
      evidence: image.evidence.map((envelope) => envelope.slice()),
      ...versionFrom(image),
    }));
    required(this.#versions[0], 'policy');
  }

  #valueIn(evidence: readonly Uint8Array[]): PolicyInForce {
    const { body } = commandOfEvidence(evidence);
    if (body.kind === 'policy') return this.#inForce(body);
    throw refusal('a version of the policy is no policy');
  }

  #inForce({ version, base, document: bytes }: PolicyChange): PolicyInForce {
    const document = decodePolicy(bytes);
    return { version, base, document, ...termsOf(document, this.#first.surviveSites) };
  }
}

const policyImage = imageOnce(
  PolicyImageSchema,
  ({ value: _, evidence, ...rest }: PolicyVersion) => ({
    evidence: [...evidence],
    ...versionImage(rest),
  }),
);
