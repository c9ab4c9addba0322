import { assertNever } from '../../base/assert.ts';
import { idBytes } from '../ids.ts';
import { type BodyMessage, hexBytes, reasonFrom, wordFrom } from './control-field.ts';
import { controlLimits } from './control-limits.ts';
import { grantTimeFrom, sealedFrom } from './control-plan.ts';
import type {
  ControlBody,
  RestoreBody,
  RestoreKeys,
  RestoreRequest,
  SealedKeys,
} from './control-records.ts';
import { commandHashFrom } from './control-trust.ts';
import { idField, integer, printableText, textLike } from './field.ts';
import type {
  ControlCommand as Message,
  RestoreGrantCommand,
  RestoreRequestCommand,
} from './gen/holdfast/v1/control_pb.js';

type RestoreCase = 'restoreRequest' | 'restoreGrant' | 'restoreUse' | 'restoreEnd';
type RestoreMessage = Extract<Message['body'], { case: RestoreCase }>;

const cases: ReadonlySet<string> = new Set<RestoreCase>([
  'restoreRequest',
  'restoreGrant',
  'restoreUse',
  'restoreEnd',
]);
const kinds: ReadonlySet<string> = new Set<RestoreBody['kind']>([
  'restore-request',
  'restore-grant',
  'restore-use',
  'restore-end',
]);

/** How a grant ends, by the word of its agent or of an operator. */
const outcomes = ['used', 'withdrawn', 'revoked'] as const;
/** As age writes them, classical or hybrid. */
const recipientPattern = /^age1[a-z0-9]{50,2200}$/;
const packsMax = 2 ** 31;

/** True when the message is about a restore grant. */
export function isRestoreMessage(message: Message['body']): message is RestoreMessage {
  return message.case !== undefined && cases.has(message.case);
}

/** True when the body is about a restore grant. */
export function isRestoreBody(body: ControlBody): body is RestoreBody {
  return kinds.has(body.kind);
}

/** A body about a restore grant. @throws HoldfastError bad-encoding */
export function restoreBodyFrom(message: RestoreMessage): RestoreBody {
  switch (message.case) {
    case 'restoreRequest':
      return { kind: 'restore-request', ...restoreRequestFrom(message.value) };
    case 'restoreGrant':
      return { kind: 'restore-grant', ...restoreKeysFrom(message.value) };
    case 'restoreUse':
      return { kind: 'restore-use', request: commandHashFrom(message.value.request) };
    case 'restoreEnd': {
      const { outcome, reason, request } = message.value;
      return {
        kind: 'restore-end',
        request: commandHashFrom(request),
        outcome: wordFrom(outcome, outcomes, 'end of a grant'),
        reason: reasonFrom(reason),
      };
    }
    default:
      return assertNever(message);
  }
}

/** The message of such a body. */
export function restoreMessage(body: RestoreBody): BodyMessage {
  switch (body.kind) {
    case 'restore-request':
      return { case: 'restoreRequest', value: restoreRequestMessage(body) };
    case 'restore-grant':
      return { case: 'restoreGrant', value: restoreKeysMessage(body) };
    case 'restore-use':
      return { case: 'restoreUse', value: { request: hexBytes(body.request) } };
    case 'restore-end': {
      const { outcome, reason, request } = body;
      return { case: 'restoreEnd', value: { request: hexBytes(request), outcome, reason } };
    }
    default:
      return assertNever(body);
  }
}

/** The request in a message. @throws HoldfastError bad-encoding */
export function restoreRequestFrom(message: RestoreRequestCommand): RestoreRequest {
  const { datasetNameLengthMax, pathLengthMax } = controlLimits;
  return {
    agent: idField(message.agent, 32, 'agent'),
    dataset: idField(message.dataset, 16, 'dataset'),
    writer: idField(message.writer, 32, 'writer'),
    snapshot: idField(message.snapshot, 32, 'snapshot'),
    name: printableText(message.name, { min: 1, max: datasetNameLengthMax }, 'name'),
    path: printableText(message.path, { min: 0, max: pathLengthMax }, 'path'),
    recipient: textLike(message.recipient, recipientPattern, 'recipient'),
    lastsMs: grantTimeFrom(message.lastsMs),
    reason: reasonFrom(message.reason),
  };
}

/** The message of a request. */
export function restoreRequestMessage(request: RestoreRequest) {
  const { agent, dataset, writer, snapshot, lastsMs, name, path, reason, recipient } = request;
  const ids = { agent: idBytes(agent), dataset: idBytes(dataset), writer: idBytes(writer) };
  const rest = { name, path, recipient, reason, lastsMs: BigInt(lastsMs) };
  return { ...ids, snapshot: idBytes(snapshot), ...rest };
}

/** The keys in a message. @throws HoldfastError bad-encoding */
export function restoreKeysFrom(message: RestoreGrantCommand): RestoreKeys {
  return {
    request: commandHashFrom(message.request),
    sealed: sealedFrom(message),
    packs: integer(message.packs, { min: 1, max: packsMax }, 'count of packs'),
  };
}

/** The message of such keys. */
export function restoreKeysMessage({ request, sealed, packs }: RestoreKeys) {
  return { request: hexBytes(request), ...sealedMessage(sealed), packs };
}

/** The fields of sealed keys in a message. */
export function sealedMessage(
  sealed: SealedKeys,
): { sealed: Uint8Array } | { fact: Uint8Array; factSize: number } {
  if (sealed.kind === 'inline') return { sealed: sealed.bytes };
  return { fact: idBytes(sealed.hash), factSize: sealed.size };
}
