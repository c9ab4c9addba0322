import { assertNever } from '../../base/assert.ts';
import type { ReadPurpose } from '../policy/read-purpose.ts';
import { anyCount, hexBytes, wordFrom } from './control-field.ts';
import { planHashFrom, runFrom } from './control-plan.ts';
import { commandHashFrom } from './control-trust.ts';
import { integer } from './field.ts';
import type { ReadPurpose as Message } from './gen/holdfast/v1/exchange_pb.js';

const kinds = ['repair', 'audit', 'plan', 'grant', 'reseal'] as const;

/** The purpose in a message. @throws HoldfastError bad-encoding */
export function readPurposeFrom(message: Message): ReadPurpose {
  const kind = wordFrom(message.kind, kinds, 'purpose of a read');
  switch (kind) {
    case 'repair':
    case 'audit':
      return { kind };
    case 'plan': {
      const { run } = runFrom({ plan: message.id, run: message.run });
      return { kind, plan: planHashFrom(message.id), run, sinceIndex: sinceFrom(message) };
    }
    case 'grant':
    case 'reseal':
      return { kind, request: commandHashFrom(message.id), sinceIndex: sinceFrom(message) };
    default:
      return assertNever(kind);
  }
}

/** The message of a purpose. */
export function readPurposeMessage(purpose: ReadPurpose) {
  switch (purpose.kind) {
    case 'repair':
    case 'audit':
      return { kind: purpose.kind };
    case 'plan': {
      const { kind, plan, run, sinceIndex } = purpose;
      return { kind, id: hexBytes(plan), run, sinceIndex: BigInt(sinceIndex) };
    }
    case 'grant':
    case 'reseal': {
      const { kind, request, sinceIndex } = purpose;
      return { kind, id: hexBytes(request), sinceIndex: BigInt(sinceIndex) };
    }
    default:
      return assertNever(purpose);
  }
}

function sinceFrom({ sinceIndex }: Message): number {
  return integer(sinceIndex, anyCount, 'index');
}
