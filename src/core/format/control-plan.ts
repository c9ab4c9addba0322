import { assertNever } from '../../base/assert.ts';
import { toHex, utf8 } from '../../base/bytes.ts';
import { fenceFrom, wordFrom } from './control-field.ts';
import { controlLimits } from './control-limits.ts';
import {
  type BodyOf,
  type ControlBody,
  type Mark,
  markOutcomes,
  type PlanHash,
  type RunGrant,
  type SealedKeys,
} from './control-records.ts';
import {
  boundedBytes,
  exactBytes,
  idField,
  integer,
  label,
  malformed,
  printableText,
} from './field.ts';
import type {
  GrantCommand,
  MarkCommand,
  ControlCommand as Message,
} from './gen/holdfast/v1/control_pb.js';

type PlanCase = 'plan' | 'grant' | 'assign' | 'mark' | 'planDecision';
type PlanMessage = Extract<Message['body'], { case: PlanCase }>;

const planCases: ReadonlySet<string> = new Set<PlanCase>([
  'plan',
  'grant',
  'assign',
  'mark',
  'planDecision',
]);

/** True when the message is about a restore plan. */
export function isPlanMessage(message: Message['body']): message is PlanMessage {
  return message.case !== undefined && planCases.has(message.case);
}

/** A body about a restore plan. @throws HoldfastError bad-encoding */
export function planBodyFrom(message: PlanMessage): ControlBody {
  switch (message.case) {
    case 'plan': {
      const size = { min: 2, max: controlLimits.planSizeMax };
      const plan = boundedBytes(message.value.plan, size, 'restore plan');
      return { kind: 'plan', plan, hash: planHashFrom(message.value.hash) };
    }
    case 'grant':
      return { kind: 'grant', ...grantFrom(message.value) };
    case 'assign': {
      const coordinator: BodyOf<'assign'>['coordinator'] = idField(
        message.value.coordinator,
        32,
        'coordinator',
      );
      return { kind: 'assign', ...runFrom(message.value), coordinator };
    }
    case 'mark':
      return { kind: 'mark', ...markFrom(message.value) };
    case 'planDecision': {
      const words = ['cancel', 'resume', 'roll-back'] as const;
      const decision = wordFrom(message.value.decision, words, 'decision');
      return { kind: 'plan-decision', ...runFrom(message.value), decision };
    }
    default:
      return assertNever(message);
  }
}

/** The hash of a plan. @throws HoldfastError bad-encoding */
export function planHashFrom(bytes: Uint8Array): PlanHash {
  return toHex(exactBytes(bytes, 32, 'hash of a plan')) as PlanHash;
}

/** A plan and the number of its run. @throws HoldfastError bad-encoding */
export function runFrom(message: { plan: Uint8Array; run: number }): {
  plan: PlanHash;
  run: number;
} {
  const run = integer(message.run, { min: 1, max: 0xffff_ffff }, 'run');
  return { plan: planHashFrom(message.plan), run };
}

/** The grant in a message. @throws HoldfastError bad-encoding */
export function grantFrom(message: GrantCommand): RunGrant {
  return {
    ...runFrom(message),
    agent: idField<RunGrant['agent']>(message.agent, 32, 'agent'),
    sealed: sealedFrom(message),
    lastsMs: grantTimeFrom(message.lastsMs),
  };
}

/** The sealed keys in a message. @throws HoldfastError bad-encoding */
export function sealedFrom(
  message: Pick<GrantCommand, 'sealed' | 'fact' | 'factSize'>,
): SealedKeys {
  const { sealed, fact, factSize } = message;
  if (fact.length === 0) {
    if (factSize !== 0) throw malformed('the size of a fact stands without its hash');
    const bytes = boundedBytes(sealed, { min: 1, max: controlLimits.sealedSizeMax }, 'grant');
    return { kind: 'inline', bytes };
  }
  if (sealed.length > 0) throw malformed('a grant stands in the command or in a fact, not in both');
  const size = integer(factSize, { min: 1, max: controlLimits.factSizeMax }, 'size of a fact');
  return { kind: 'fact', hash: idField(fact, 32, 'fact'), size };
}

/** How long a grant lasts. @throws HoldfastError bad-encoding */
export function grantTimeFrom(lastsMs: bigint): number {
  const { grantMinMs: min, grantMaxMs: max } = controlLimits;
  return integer(lastsMs, { min, max }, 'time that a grant lasts');
}

function markFrom(message: MarkCommand): Mark {
  const { detail } = message;
  printableText(detail, { min: 0, max: controlLimits.detailSizeMax }, 'detail');
  integer(utf8(detail).length, { min: 0, max: controlLimits.detailSizeMax }, 'size of the detail');
  const size = { min: 0, max: controlLimits.evidenceSizeMax };
  return {
    ...runFrom(message),
    step: label(message.step, 'step'),
    attempt: integer(message.attempt, { min: 1, max: 0xffff }, 'attempt'),
    fence: fenceFrom(message.fence),
    outcome: wordFrom(message.outcome, markOutcomes, 'outcome'),
    worker: idField(message.worker, 32, 'worker'),
    detail,
    evidence: boundedBytes(message.evidence, size, 'evidence'),
  };
}
