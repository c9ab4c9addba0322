import { utf8 } from '../src/base/bytes.ts';
import { hash } from '../src/core/crypto/hash.ts';
import { publicKeyOf, sign } from '../src/core/crypto/signature.ts';
import { sealEnvelope } from '../src/core/format/envelope.ts';
import {
  admissionMessage,
  clusterIdOf,
  encodeDescriptor,
  encodeGenesis,
} from '../src/core/format/genesis.ts';
import { inviteSecret } from '../src/core/format/invite-code.ts';
import type { Admission, AgentDescriptor, Invite, Role } from '../src/core/format/records.ts';
import {
  clusterStream,
  encodeStatement,
  type StatementBody,
  streamOf,
} from '../src/core/format/statement.ts';
import { type AgentKey, type ClusterId, idOf, type PeerKey } from '../src/core/ids.ts';
import { generation } from '../src/core/protocol/opened-statement.ts';
import { epochMs } from './world.ts';

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

export function secretOf(name: string): Uint8Array {
  return hash('leaf', utf8(`simulated secret of ${name}`));
}

function person(name: string, roles: readonly Role[]): Person {
  const statementSecret = secretOf(`statement ${name}`);
  const transportKey = idOf<PeerKey>(publicKeyOf(secretOf(`transport ${name}`)));
  const statementKey = idOf<AgentKey>(publicKeyOf(statementSecret));
  const descriptor = {
    name,
    site: `site-${name}`,
    region: 'eu',
    roles,
    transportKey,
    statementKey,
  };
  return { descriptor, agentKey: statementKey, peerKey: transportKey, statementSecret };
}

const both: readonly Role[] = ['source', 'storage'];
export const recipient = `age1pq1${'q'.repeat(60)}`;
export const operatorSecret = secretOf('operator');
export const operatorKey = idOf<AgentKey>(publicKeyOf(operatorSecret));

/** Honest; the first founded the cluster and redeems all invites. */
export const honest = ['ada', 'bob', 'cyd', 'dan'].map((name) => person(name, both));
/** Not a member yet. */
export const newcomers = ['eve', 'fay'].map((name) => person(name, both));
/** A member that lies. It may not sign receipts. */
export const liar = person('liar', ['source']);
export const founder = honest[0] as Person;

export const genesisBytes = genesisNamed('simulated');
export const cluster = clusterIdOf(genesisBytes);
/** Another cluster of the same people. */
export const otherCluster = clusterIdOf(genesisNamed('other'));

function genesisNamed(name: string): Uint8Array {
  return encodeGenesis({
    name,
    salt: secretOf(`salt of ${name}`),
    operators: [{ name: 'operator', key: operatorKey, recipient: '' }],
    operatorThreshold: 1,
    recoveryRecipient: recipient,
    recoveryKey: idOf(publicKeyOf(secretOf('recovery'))),
    policy: { version: 1, surviveSites: 1 },
    founder: founder.descriptor,
    createdMs: epochMs,
  });
}

/** A statement in anybody's name, at any place of a sequence. */
export function signed(options: {
  readonly writer?: AgentKey;
  readonly secret: Uint8Array;
  readonly body: StatementBody;
  readonly after: { readonly sequence: number; readonly hash: Uint8Array } | undefined;
  readonly timeMs?: number;
  readonly cluster?: ClusterId;
}): Signed {
  const { secret, body, after } = options;
  const writer = options.writer ?? idOf<AgentKey>(publicKeyOf(secret));
  const place = { stream: streamOf(body), sequence: (after?.sequence ?? 0) + 1 };
  const payload = encodeStatement({
    writer,
    ...place,
    previous: after?.hash ?? new Uint8Array(32),
    timeMs: options.timeMs ?? epochMs,
    body,
  });
  const { bytes, hash } = sealEnvelope({
    type: 'statement',
    cluster: options.cluster ?? cluster,
    generation,
    payload,
    secrets: [secret],
  });
  return { writer, ...place, hash, envelope: bytes };
}

export function inviteFor(
  { descriptor }: Person,
  { code, notAfterMs }: { code: Uint8Array; notAfterMs: number },
): { kind: 'invite' } & Invite {
  const { site, region, roles } = descriptor;
  const inviteKey = idOf<PeerKey>(publicKeyOf(inviteSecret(code)));
  const issuer = founder.agentKey;
  return { kind: 'invite', inviteKey, site, region, roles, notAfterMs, issuer };
}

export function admissionOf(joiner: Person, code: Uint8Array): { kind: 'admission' } & Admission {
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

/** What makes the honest members; the same for every seed. */
export const founding: readonly Signed[] = foundingStatements(honest.slice(1));
/** The same, and the liar. */
export const foundingWithLiar: readonly Signed[] = foundingStatements([...honest.slice(1), liar]);

function foundingStatements(joiners: readonly Person[]): Signed[] {
  const statements: Signed[] = [];
  const add = (secret: Uint8Array, body: StatementBody): void => {
    const writer = idOf<AgentKey>(publicKeyOf(secret));
    const after = statements.findLast(
      (one) => one.writer === writer && one.stream === clusterStream,
    );
    statements.push(signed({ secret, body, after }));
  };
  for (const joiner of joiners) {
    const code = secretOf(`code for ${joiner.descriptor.name}`);
    add(operatorSecret, inviteFor(joiner, { code, notAfterMs: epochMs + 3_600_000 }));
    add(founder.statementSecret, admissionOf(joiner, code));
  }
  return statements;
}
