import type { MessageInitShape } from '@bufbuild/protobuf';
import { minuteMs } from '../../../base/units.ts';
import { policyFrom } from '../../format/control-body.ts';
import { policyMessage } from '../../format/control-message.ts';
import type { ControlPolicy } from '../../format/control-records.ts';
import { required } from '../../format/field.ts';
import type { PolicyImage, PolicyImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import type { Genesis } from '../../format/records.ts';
import type { AgentKey } from '../../ids.ts';
import { appendBounded, controlBounds } from './control-bounds.ts';
import type { Change, CommandPlace } from './refusal.ts';
import { newest, requireNext, type Versioned, versionFrom, versionImage } from './versioned.ts';

/** What holds until operators decide otherwise: nothing happens by itself before a person has looked. */
export function firstPolicy({ policy }: Genesis): ControlPolicy {
  return {
    version: policy.version,
    base: policy.version - 1,
    surviveSites: policy.surviveSites,
    failover: { siteLostAfterMs: 15 * minuteMs, action: 'alert', rules: [] },
    decreeNoticeMs: 30 * minuteMs,
  };
}

/** What the cluster promises and does by itself, version by version. */
export class PolicyBook {
  #versions: Versioned<ControlPolicy>[];

  constructor(genesis: Genesis) {
    this.#versions = [{ value: firstPolicy(genesis), authors: [], index: 0, timeMs: 0 }];
  }

  get current(): ControlPolicy {
    return newest(this.#versions).value;
  }

  /** Oldest first, the current one last; at most controlBounds.historyMax. */
  get history(): readonly Versioned<ControlPolicy>[] {
    return this.#versions;
  }

  /** @throws HoldfastError not-permitted */
  check(policy: ControlPolicy, authors: readonly AgentKey[], place: CommandPlace): Change {
    requireNext(policy, this.current.version);
    const { version, base, surviveSites, failover, decreeNoticeMs } = policy;
    const value = { version, base, surviveSites, failover, decreeNoticeMs };
    const { index, timeMs } = place;
    return () => {
      appendBounded(this.#versions, { value, authors, index, timeMs }, controlBounds.historyMax);
    };
  }

  image(): MessageInitShape<typeof PolicyImageSchema>[] {
    return this.#versions.map(({ value, ...rest }) => ({
      policy: policyMessage(value),
      ...versionImage(rest),
    }));
  }

  load(images: readonly PolicyImage[]): void {
    this.#versions = images.map((image) => ({
      value: policyFrom(required(image.policy, 'policy')),
      ...versionFrom(image),
    }));
    required(this.#versions[0], 'policy');
  }
}
