import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { concat, utf8 } from '../../base/bytes.ts';
import { KiB } from '../../base/units.ts';
import { hash } from '../crypto/hash.ts';
import { type ClusterId, idBytes, idOf } from '../ids.ts';
import { limits } from '../limits.ts';
import { decodePolicy } from '../policy/policy-text.ts';
import { controlLimits } from './control-limits.ts';
import {
  decodeMessage,
  exactBytes,
  idField,
  integer,
  malformed,
  printableText,
  required,
} from './field.ts';
import {
  AgentDescriptorSchema,
  type CustodySchema,
  GenesisSchema,
  type Genesis as Message,
  type Operator as OperatorMessage,
  type OperatorSchema,
  type Policy as PolicyMessage,
} from './gen/holdfast/v1/cluster_pb.js';
import { descriptorFrom, descriptorMessage, recipientFrom } from './member.ts';
import type { AgentDescriptor, Custody, Genesis, Operator, Policy } from './records.ts';

/** Operators of one cluster: people, each with a hybrid recipient of 2 KiB. */
export const operatorsMax = 16;

const genesisSizeMax = 64 * KiB;
const descriptorSizeMax = 1 * KiB;

/**
 * The genesis bytes, whose hash is the cluster id. They are decoded again, so that no cluster starts
 * with what every joiner would refuse. @throws HoldfastError bad-encoding
 */
export function encodeGenesis(genesis: Genesis): Uint8Array {
  const bytes = toBinary(
    GenesisSchema,
    create(GenesisSchema, {
      name: genesis.name,
      salt: genesis.salt,
      operators: genesis.operators.map(operatorMessage),
      operatorThreshold: genesis.operatorThreshold,
      recoveryRecipient: genesis.recoveryRecipient,
      recoveryKey: idBytes(genesis.recoveryKey),
      policy: { ...genesis.policy },
      founder: descriptorMessage(genesis.founder),
      createdMs: BigInt(genesis.createdMs),
      byzantineVoters: genesis.byzantineVoters ?? 0,
      custody: custodyMessage(genesis.custody),
    }),
  );
  decodeGenesis(bytes);
  return bytes;
}

/** The genesis in these bytes. The caller compares their `clusterIdOf` with the id that it pins. @throws HoldfastError bad-encoding */
export function decodeGenesis(bytes: Uint8Array): Genesis {
  const message: Message = decodeMessage(GenesisSchema, bytes, genesisSizeMax);
  const operators = operatorsFrom(message.operators.map(operatorFrom));
  const anyTime = { min: 0, max: Number.MAX_SAFE_INTEGER };
  return {
    name: printableText(message.name, { min: 1, max: 63 }, 'cluster name'),
    salt: exactBytes(message.salt, 32, 'salt'),
    operators,
    operatorThreshold: integer(
      message.operatorThreshold,
      { min: 1, max: operators.length },
      'operator threshold',
    ),
    recoveryRecipient: recipientFrom(message.recoveryRecipient),
    recoveryKey: idField(message.recoveryKey, 32, 'recovery key'),
    policy: policyFrom(required(message.policy, 'policy')),
    founder: descriptorFrom(required(message.founder, 'founder')),
    createdMs: integer(message.createdMs, anyTime, 'time of creation'),
    ...byzantineFrom(message),
    ...custodyFrom(message),
  };
}

/** Two liars among at most seven voters would need all of the others for every promotion. */
function byzantineFrom(message: Message): Pick<Genesis, 'byzantineVoters'> {
  const byzantineVoters = integer(message.byzantineVoters, { min: 0, max: 1 }, 'lying voters');
  return byzantineVoters === 0 ? {} : { byzantineVoters };
}

/** The message of an operator. */
export function operatorMessage(operator: Operator): MessageInitShape<typeof OperatorSchema> {
  return { ...operator, key: idBytes(operator.key) };
}

/** The operator in a message. @throws HoldfastError bad-encoding */
export function operatorFrom({ name, key, recipient }: OperatorMessage): Operator {
  return {
    name: printableText(name, { min: 1, max: 63 }, 'operator name'),
    key: idField(key, 32, 'operator key'),
    recipient: recipient === '' ? '' : recipientFrom(recipient),
  };
}

/** The operators of a cluster. @throws HoldfastError bad-encoding */
export function operatorsFrom(operators: Operator[]): Operator[] {
  integer(operators.length, { min: 1, max: operatorsMax }, 'count of operators');
  // One key listed twice would count twice towards the threshold.
  if (new Set(operators.map(({ key }) => key)).size !== operators.length) {
    throw malformed('an operator key is listed twice');
  }
  return operators;
}

function policyFrom(message: PolicyMessage): Policy {
  const { version, surviveSites } = message;
  return {
    version: integer(version, { min: 1, max: 0xffff_ffff }, 'policy version'),
    surviveSites: integer(surviveSites, { min: 0, max: limits.shardsMax - 1 }, 'sites to survive'),
    ...documentFrom(message),
  };
}

function documentFrom({ document, surviveSites }: PolicyMessage): Pick<Policy, 'document'> {
  if (document.length === 0) return {};
  const { survive } = decodePolicy(document);
  // Two places that say different things would be read differently by different members.
  if ((survive?.sites ?? surviveSites) !== surviveSites) {
    throw malformed('the policy document asks to survive another number of sites');
  }
  return { document: document.slice() };
}

function custodyMessage(
  custody: Custody | undefined,
): MessageInitShape<typeof CustodySchema> | undefined {
  if (custody === undefined) return undefined;
  const { threshold, custodians } = custody;
  return { threshold, custodians: custodians.map((one) => ({ ...one })) };
}

function custodyFrom({ custody }: Message): Pick<Genesis, 'custody'> {
  if (custody === undefined) return {};
  const { custodiansMax: max } = controlLimits;
  const { length } = custody.custodians;
  integer(length, { min: 2, max }, 'count of custodians');
  const threshold = integer(custody.threshold, { min: 2, max: length }, 'threshold of shares');
  const custodians = custody.custodians.map(({ name, recipient }) => ({
    name: printableText(name, { min: 1, max: 63 }, 'name of a custodian'),
    recipient: recipient === '' ? '' : recipientFrom(recipient),
  }));
  if (new Set(custodians.map(({ name }) => name)).size !== length) {
    throw malformed('a custodian is named twice');
  }
  return { custody: { threshold, custodians } };
}

/** The id that every agent pins. */
export function clusterIdOf(genesis: Uint8Array): ClusterId {
  return idOf(hash('genesis', genesis));
}

/** The descriptor bytes that a joiner and its invite sign. @throws HoldfastError bad-encoding */
export function encodeDescriptor(descriptor: AgentDescriptor): Uint8Array {
  const bytes = toBinary(
    AgentDescriptorSchema,
    create(AgentDescriptorSchema, descriptorMessage(descriptor)),
  );
  decodeDescriptor(bytes);
  return bytes;
}

/** The descriptor in these bytes. @throws HoldfastError bad-encoding */
export function decodeDescriptor(bytes: Uint8Array): AgentDescriptor {
  return descriptorFrom(decodeMessage(AgentDescriptorSchema, bytes, descriptorSizeMax));
}

/** What the invite key and the agent's statement key sign: this descriptor, into this cluster. */
export function admissionMessage(cluster: ClusterId, descriptor: Uint8Array): Uint8Array {
  return concat([utf8('holdfast-admission-1'), idBytes(cluster), descriptor]);
}
