import { assertNever } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { idBytes } from '../ids.ts';
import { agentsFrom, hexBytes, reasonFrom } from './control-field.ts';
import { controlLimits } from './control-limits.ts';
import type { BodyOf, CommandHash, ControlBody } from './control-records.ts';
import { boundedBytes, exactBytes, idField, integer, malformed } from './field.ts';
import type {
  ControlCommand as Message,
  OperatorsCommand,
  RolesCommand,
} from './gen/holdfast/v1/control_pb.js';
import { operatorFrom, operatorMessage, operatorsFrom } from './genesis.ts';
import { inviteFrom, inviteMessage } from './invite.ts';
import { rolesFrom } from './member.ts';
import type { Role } from './records.ts';

type TrustKind =
  | 'propose'
  | 'approve'
  | 'deny'
  | 'veto'
  | 'operators'
  | 'roles'
  | 'expel'
  | 'invite'
  | 'format';
export type TrustMessage = Extract<Message['body'], { case: TrustKind }>;
export type TrustBody = BodyOf<TrustKind>;

const kinds: ReadonlySet<string> = new Set<TrustKind>([
  'propose',
  'approve',
  'deny',
  'veto',
  'operators',
  'roles',
  'expel',
  'invite',
  'format',
]);

/** True when the message is about who may do what. */
export function isTrustMessage(message: Message['body']): message is TrustMessage {
  return message.case !== undefined && kinds.has(message.case);
}

/** True when the body is about who may do what. */
export function isTrustBody(body: ControlBody): body is TrustBody {
  return kinds.has(body.kind);
}

/** A body about who may do what. @throws HoldfastError bad-encoding */
export function trustBodyFrom(message: TrustMessage): TrustBody {
  switch (message.case) {
    case 'propose': {
      const { command, lastsMs } = message.value;
      const { proposalMinMs: min, proposalMaxMs: max, proposedSizeMax } = controlLimits;
      return {
        kind: 'propose',
        command: boundedBytes(command, { min: 1, max: proposedSizeMax }, 'proposed command'),
        lastsMs: integer(lastsMs, { min, max }, 'time that a proposal lasts'),
      };
    }
    case 'approve':
      return { kind: 'approve', hash: commandHashFrom(message.value.hash) };
    case 'deny':
    case 'veto': {
      const { hash, reason } = message.value;
      return { kind: message.case, hash: commandHashFrom(hash), reason: reasonFrom(reason) };
    }
    case 'operators':
      return operatorChangeFrom(message.value);
    case 'roles':
      return roleChangeFrom(message.value);
    case 'expel': {
      const [agent] = agentsFrom([message.value.agent], 1, 'agent');
      if (agent === undefined) throw malformed('an expulsion names no agent');
      return { kind: 'expel', agent, reason: reasonFrom(message.value.reason) };
    }
    case 'invite':
      return { kind: 'invite', ...inviteFrom(message.value) };
    case 'format': {
      const version = integer(message.value.version, { min: 2, max: 0xffff_ffff }, 'format');
      return { kind: 'format', version };
    }
    default:
      return assertNever(message);
  }
}

/** The message of a body about who may do what. */
export function trustMessage(body: TrustBody) {
  switch (body.kind) {
    case 'propose': {
      const { command, lastsMs } = body;
      return { case: 'propose', value: { command, lastsMs: BigInt(lastsMs) } } as const;
    }
    case 'approve':
      return { case: 'approve', value: { hash: hexBytes(body.hash) } } as const;
    case 'deny':
    case 'veto': {
      const value = { hash: hexBytes(body.hash), reason: body.reason };
      return { case: body.kind, value } as const;
    }
    case 'operators': {
      const { version, base, threshold } = body;
      const operators = body.operators.map(operatorMessage);
      return { case: 'operators', value: { version, base, threshold, operators } } as const;
    }
    case 'roles': {
      const { add, remove } = body;
      const value = { agent: idBytes(body.agent), add: [...add], remove: [...remove] };
      return { case: 'roles', value } as const;
    }
    case 'expel': {
      const value = { agent: idBytes(body.agent), reason: body.reason };
      return { case: 'expel', value } as const;
    }
    case 'invite':
      return { case: 'invite', value: inviteMessage(body) } as const;
    case 'format':
      return { case: 'format', value: { version: body.version } } as const;
    default:
      return assertNever(body);
  }
}

/** Names a proposed command. @throws HoldfastError bad-encoding */
export function commandHashFrom(bytes: Uint8Array): CommandHash {
  return toHex(exactBytes(bytes, 32, 'hash of a command')) as CommandHash;
}

function operatorChangeFrom(message: OperatorsCommand): BodyOf<'operators'> {
  const operators = operatorsFrom(message.operators.map(operatorFrom));
  const anyVersion = { min: 2, max: 0xffff_ffff };
  const version = integer(message.version, anyVersion, 'version of the operators');
  if (message.base !== version - 1) throw malformed('operators replace the version before them');
  const names = new Set(operators.map(({ name }) => name));
  // People are told by their names when they are asked to sign.
  if (names.size !== operators.length) throw malformed('two operators have one name');
  const count = { min: 1, max: operators.length };
  const threshold = integer(message.threshold, count, 'operator threshold');
  return { kind: 'operators', version, base: message.base, threshold, operators };
}

function roleChangeFrom({ agent, ...message }: RolesCommand): BodyOf<'roles'> {
  const add = someRoles(message.add);
  const remove = someRoles(message.remove);
  if (add.length + remove.length === 0) throw malformed('a change of roles changes none');
  if (add.some((role) => remove.includes(role))) throw malformed('a role is given and taken');
  return { kind: 'roles', agent: idField(agent, 32, 'agent'), add, remove };
}

function someRoles(texts: string[]): Role[] {
  return texts.length === 0 ? [] : rolesFrom(texts);
}
