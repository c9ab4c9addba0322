import { assertNever } from '../../base/assert.ts';
import type { DatasetId } from '../ids.ts';
import { anyCount, fenceFrom, reasonFrom } from './control-field.ts';
import { controlLimits } from './control-limits.ts';
import { runFrom } from './control-plan.ts';
import type { ControlBody, FenceVote, Promotion } from './control-records.ts';
import { idField, integer, label, printableText } from './field.ts';
import type {
  FenceVoteCommand,
  ControlCommand as Message,
  PromoteCommand,
} from './gen/holdfast/v1/control_pb.js';

type IncarnationMessage = Extract<
  Message['body'],
  {
    case:
      | 'promote'
      | 'fenceVote'
      | 'demote'
      | 'isolate'
      | 'reinstate'
      | 'abandon'
      | 'lease'
      | 'leaseLapse';
  }
>;

/** A body about who holds a dataset. @throws HoldfastError bad-encoding */
export function incarnationFrom(message: IncarnationMessage): ControlBody {
  switch (message.case) {
    case 'promote':
      return { kind: 'promote', ...promotionFrom(message.value) };
    case 'fenceVote':
      return { kind: 'fence-vote', ...voteFrom(message.value) };
    case 'demote': {
      const { dataset, incarnation } = message.value;
      return { kind: 'demote', dataset: datasetFrom(dataset), incarnation };
    }
    case 'lease': {
      const { dataset, incarnation, forMs } = message.value;
      const lasting = integer(forMs, { min: 0, max: controlLimits.leaseMaxMs }, 'lease');
      return { kind: 'lease', dataset: datasetFrom(dataset), incarnation, forMs: lasting };
    }
    case 'leaseLapse': {
      const { dataset, incarnation, generation, index } = message.value;
      return {
        kind: 'lease-lapse',
        dataset: datasetFrom(dataset),
        incarnation,
        generation: integer(generation, { ...anyCount, min: 1 }, 'generation'),
        index: integer(index, { ...anyCount, min: 1 }, 'index'),
      };
    }
    case 'isolate': {
      const { agent, dataset, reason } = message.value;
      return {
        kind: 'isolate',
        agent: idField(agent, 32, 'agent'),
        dataset: dataset.length === 0 ? undefined : datasetFrom(dataset),
        reason: reasonFrom(reason),
      };
    }
    case 'reinstate': {
      const { agent, dataset } = message.value;
      const id = datasetFrom(dataset);
      return { kind: 'reinstate', agent: idField(agent, 32, 'agent'), dataset: id };
    }
    case 'abandon': {
      const { incarnation, reason } = message.value;
      return {
        kind: 'abandon',
        dataset: datasetFrom(message.value.dataset),
        incarnation: integer(incarnation, openedIncarnation, 'incarnation'),
        reason: reasonFrom(reason),
      };
    }
    default:
      return assertNever(message);
  }
}

function datasetFrom(bytes: Uint8Array): DatasetId {
  return idField(bytes, 16, 'dataset');
}

/** Those before it were not voted on. */
const openedIncarnation = { min: 1, max: 0xffff_ffff };

function promotionFrom(message: PromoteCommand): Promotion {
  return {
    dataset: datasetFrom(message.dataset),
    name: printableText(message.name, { min: 1, max: 128 }, 'dataset name'),
    incarnation: integer(message.incarnation, openedIncarnation, 'incarnation'),
    target: idField(message.target, 32, 'target'),
    ...runFrom(message),
    step: label(message.step, 'step'),
    fence: fenceFrom(message.fence),
  };
}

function voteFrom(message: FenceVoteCommand): FenceVote {
  return {
    dataset: datasetFrom(message.dataset),
    incarnation: integer(message.incarnation, openedIncarnation, 'incarnation'),
    generation: integer(message.generation, { ...anyCount, min: 1 }, 'generation'),
    target: message.target.length === 0 ? undefined : idField(message.target, 32, 'target'),
    fence: fenceFrom(message.fence),
  };
}
