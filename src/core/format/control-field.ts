import type { MessageInitShape } from '@bufbuild/protobuf';
import { assert } from '../../base/assert.ts';
import { fromHex } from '../../base/bytes.ts';
import type { AgentKey } from '../ids.ts';
import { controlLimits } from './control-limits.ts';
import type { Fence } from './control-records.ts';
import { atMost, idField, integer, malformed, printableText, required } from './field.ts';
import type { ControlCommandSchema } from './gen/holdfast/v1/control_pb.js';

/** The field of a body in its command. */
export type BodyMessage = NonNullable<MessageInitShape<typeof ControlCommandSchema>['body']>;

/** Whole numbers that a JavaScript number holds exactly. */
export const anyCount = { min: 0, max: Number.MAX_SAFE_INTEGER };

/** Bytes of a hexadecimal text that this program has made. */
export function hexBytes(text: string): Uint8Array {
  const bytes = fromHex(text);
  assert(bytes !== undefined, 'an id is hexadecimal');
  return bytes;
}

/** The message of a fence. */
export function fenceMessage(fence: Fence): { generation: bigint; index: bigint } {
  return { generation: BigInt(fence.generation), index: BigInt(fence.index) };
}

/** The fence in a message. @throws HoldfastError bad-encoding */
export function fenceFrom(message: { generation: bigint; index: bigint } | undefined): Fence {
  const { generation, index } = required(message, 'fence');
  const bounds = { min: 1, max: Number.MAX_SAFE_INTEGER };
  return {
    generation: integer(generation, bounds, 'generation'),
    index: integer(index, bounds, 'index'),
  };
}

/** One of a list of words. @throws HoldfastError bad-encoding */
export function wordFrom<Word extends string>(
  text: string,
  words: readonly Word[],
  what: string,
): Word {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) throw malformed(`${what} is not one of ${words.join(', ')}`);
  return word;
}

/** Different agents, in the order given. @throws HoldfastError bad-encoding */
export function agentsFrom(list: Uint8Array[], countMax: number, what: string): AgentKey[] {
  const agents = atMost(list, countMax, what).map((one) => idField<AgentKey>(one, 32, what));
  if (new Set(agents).size !== agents.length) throw malformed(`${what} name one agent twice`);
  return agents;
}

/** Why somebody did something. @throws HoldfastError bad-encoding */
export function reasonFrom(text: string): string {
  return printableText(text, { min: 1, max: controlLimits.reasonLengthMax }, 'reason');
}
