import { utf8 } from '../../src/base/bytes.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { publicKeyOf, sign } from '../../src/core/crypto/signature.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import {
  admissionMessage,
  clusterIdOf,
  encodeDescriptor,
  encodeGenesis,
} from '../../src/core/format/genesis.ts';
import { inviteSecret } from '../../src/core/format/invite-code.ts';
import type { AgentDescriptor, Role } from '../../src/core/format/records.ts';
import { recoverySecret } from '../../src/core/format/recovery-kit.ts';
import { encodeStatement, type StatementBody, streamOf } from '../../src/core/format/statement.ts';
import { type AgentKey, type ClusterId, idOf, type PeerKey } from '../../src/core/ids.ts';
import { generation } from '../../src/core/protocol/opened-statement.ts';
import { epochMs } from '../world.ts';
import { identityFrom, recipientFor } from './sealer.ts';

/** Somebody with keys: 32 bytes each, made from the name alone. */
export type Person = {
  readonly descriptor: AgentDescriptor;
  readonly agentKey: AgentKey;
  readonly peerKey: PeerKey;
  readonly statementSecret: Uint8Array;
};

export type Signed = {
  readonly writer: AgentKey;
  readonly stream: string;
  readonly sequence: number;
  readonly hash: Uint8Array;
  readonly envelope: Uint8Array;
};

const secrets = new Map<string, Uint8Array>();

export function secretOf(name: string): Uint8Array {
  const known = secrets.get(name) ?? hash('leaf', utf8(`simulated data secret of ${name}`));
  secrets.set(name, known);
  return known;
}

function person(name: string, roles: readonly Role[]): Person {
  const statementSecret = secretOf(`statement ${name}`);
  const descriptor: AgentDescriptor = {
    name,
    site: `site-${name}`,
    region: 'eu',
    roles,
    transportKey: idOf<PeerKey>(publicKeyOf(secretOf(`transport ${name}`))),
    statementKey: idOf<AgentKey>(publicKeyOf(statementSecret)),
  };
  const { statementKey: agentKey, transportKey: peerKey } = descriptor;
  return { descriptor, agentKey, peerKey, statementSecret };
}

/** Each at a site of its own. The first has founded the cluster, and is its one voter. */
export const people: readonly Person[] = [
  person('ada', ['source', 'storage', 'voter']),
  person('bob', ['source', 'storage']),
  person('cyd', ['storage']),
  person('dan', ['storage']),
  person('eve', ['storage']),
  person('fay', ['storage']),
  // Only where eight are wanted: a drawn plan has six at most.
  person('hal', ['storage']),
  person('ivy', ['storage']),
];
export const founder = people[0] as Person;
/** Knows how to join, later. */
export const newcomer = person('gus', ['source', 'storage']);

/** What the recovery kit says. No agent has it. */
export const kitIdentity = identityFrom(secretOf('kit'));
export const kitSecret = recoverySecret(kitIdentity);
/** Signs alone what operators decide. */
export const operatorSecret = secretOf('operator');

/** A cluster: who belongs to it from the beginning, and how many sites it shall outlive. */
export type Founding = {
  readonly genesisBytes: Uint8Array;
  readonly cluster: ClusterId;
  readonly statements: readonly Signed[];
  /** 32 bytes of the invite that the newcomer redeems. */
  readonly newcomerCode: Uint8Array;
};

const foundings = new Map<string, Founding>();

export function foundingOf(count: number, surviveSites: number): Founding {
  const name = `${count} sites, ${surviveSites} may fail`;
  const known = foundings.get(name) ?? found(name, people.slice(0, count), surviveSites);
  foundings.set(name, known);
  return known;
}

function found(name: string, members: readonly Person[], surviveSites: number): Founding {
  const genesisBytes = encodeGenesis({
    name: 'simulated',
    salt: secretOf(`salt of ${name}`),
    operators: [
      { name: 'operator', key: idOf<AgentKey>(publicKeyOf(operatorSecret)), recipient: '' },
    ],
    operatorThreshold: 1,
    recoveryRecipient: recipientFor(kitIdentity),
    recoveryKey: idOf(publicKeyOf(kitSecret)),
    policy: { version: 1, surviveSites },
    founder: founder.descriptor,
    createdMs: epochMs,
  });
  const cluster = clusterIdOf(genesisBytes);
  const statements: Signed[] = [];
  const add = (secret: Uint8Array, body: StatementBody): void => {
    const writer = idOf<AgentKey>(publicKeyOf(secret));
    const after = statements.findLast((one) => one.writer === writer);
    statements.push(signedIn(cluster, { secret, body, after }));
  };
  for (const joiner of members.slice(1)) {
    const code = secretOf(`code for ${joiner.descriptor.name}`);
    add(operatorSecret, inviteFor(joiner, code));
    add(founder.statementSecret, admissionOf(joiner, code, cluster));
  }
  const newcomerCode = secretOf('code for gus');
  add(operatorSecret, inviteFor(newcomer, newcomerCode));
  return { genesisBytes, cluster, statements, newcomerCode };
}

/** A statement in the name of whoever has the secret, at any place of a sequence. */
export function signedIn(
  cluster: ClusterId,
  options: {
    readonly secret: Uint8Array;
    readonly body: StatementBody;
    readonly after: { readonly sequence: number; readonly hash: Uint8Array } | undefined;
    readonly timeMs?: number;
  },
): Signed {
  const { secret, body, after, timeMs = epochMs } = options;
  const writer = idOf<AgentKey>(publicKeyOf(secret));
  const place = { writer, stream: streamOf(body), sequence: (after?.sequence ?? 0) + 1 };
  const previous = after?.hash ?? new Uint8Array(32);
  const payload = encodeStatement({ ...place, previous, timeMs, body });
  const sealed = { type: 'statement', cluster, generation, payload, secrets: [secret] } as const;
  const { bytes, hash: own } = sealEnvelope(sealed);
  return { ...place, hash: own, envelope: bytes };
}

function inviteFor({ descriptor }: Person, code: Uint8Array): StatementBody {
  const { site, region, roles } = descriptor;
  const inviteKey = idOf<PeerKey>(publicKeyOf(inviteSecret(code)));
  const notAfterMs = epochMs + 20 * 3_600_000;
  return { kind: 'invite', inviteKey, site, region, roles, notAfterMs, issuer: founder.agentKey };
}

function admissionOf(joiner: Person, code: Uint8Array, cluster: ClusterId): StatementBody {
  const descriptor = encodeDescriptor(joiner.descriptor);
  const secret = inviteSecret(code);
  const message = admissionMessage(cluster, descriptor);
  return {
    kind: 'admission',
    inviteKey: idOf(publicKeyOf(secret)),
    descriptor,
    inviteSignature: sign(secret, message),
    agentSignature: sign(joiner.statementSecret, message),
  };
}
