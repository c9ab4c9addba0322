import { utf8 } from '../../src/base/bytes.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { publicKeyOf, sign } from '../../src/core/crypto/signature.ts';
import { sealCommand } from '../../src/core/format/control-envelope.ts';
import type { CommandId, ControlBody } from '../../src/core/format/control-records.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import {
  admissionMessage,
  clusterIdOf,
  decodeGenesis,
  encodeDescriptor,
  encodeGenesis,
} from '../../src/core/format/genesis.ts';
import { inviteSecret } from '../../src/core/format/invite-code.ts';
import type { AgentDescriptor } from '../../src/core/format/records.ts';
import {
  clusterStream,
  encodeStatement,
  type StatementBody,
} from '../../src/core/format/statement.ts';
import { type AgentKey, type ClusterId, idOf, type PeerKey } from '../../src/core/ids.ts';
import { generation } from '../../src/core/protocol/opened-statement.ts';
import { epochMs } from '../world.ts';

/** Somebody with keys: 32 bytes each, made from the name alone. */
export type Person = {
  readonly descriptor: AgentDescriptor;
  readonly agentKey: AgentKey;
  readonly peerKey: PeerKey;
  readonly statementSecret: Uint8Array;
};

function secretOf(name: string): Uint8Array {
  return hash('leaf', utf8(`simulated control secret of ${name}`));
}

function person(name: string): Person {
  const statementSecret = secretOf(`statement ${name}`);
  const descriptor: AgentDescriptor = {
    name,
    site: `site-${name}`,
    region: 'eu',
    roles: ['source', 'storage', 'voter'],
    transportKey: idOf<PeerKey>(publicKeyOf(secretOf(`transport ${name}`))),
    statementKey: idOf<AgentKey>(publicKeyOf(statementSecret)),
  };
  const { statementKey: agentKey, transportKey: peerKey } = descriptor;
  return { descriptor, agentKey, peerKey, statementSecret };
}

/** Each at a site of its own. The first has founded the cluster; the sixth is there in some runs. */
export const people: readonly Person[] = ['ada', 'bob', 'cyd', 'dan', 'eve', 'fay'].map(person);
export const founder = people[0] as Person;

/** Both must sign what needs the operators' threshold. */
export const operatorSecrets: readonly Uint8Array[] = ['olga', 'otto'].map((name) =>
  secretOf(`operator ${name}`),
);

/** One cluster: its genesis, and what makes everybody a member of it. */
export type Cast = {
  readonly byzantineVoters: 0 | 1;
  readonly people: readonly Person[];
  readonly genesisBytes: Uint8Array;
  readonly cluster: ClusterId;
  /** Envelopes of the statements that make everybody a member of the cluster; not of the control log. */
  readonly founding: readonly Uint8Array[];
};

export type CastSize = {
  /** So many may sign two words for one promotion, and no slot is decided twice. */
  readonly byzantineVoters: 0 | 1;
  readonly memberCount: 5 | 6;
};

const casts = new Map<string, Cast>();

export function castOf({ byzantineVoters, memberCount }: CastSize): Cast {
  const name = `${byzantineVoters}/${memberCount}`;
  const known = casts.get(name);
  if (known !== undefined) return known;
  const genesisBytes = encodeGenesis({
    name: 'controlled',
    salt: secretOf('salt'),
    operators: operatorSecrets.map((secret, i) => ({
      name: `operator-${i}`,
      key: idOf<AgentKey>(publicKeyOf(secret)),
      recipient: '',
    })),
    operatorThreshold: 2,
    recoveryRecipient: `age1pq1${'q'.repeat(60)}`,
    recoveryKey: idOf(publicKeyOf(secretOf('recovery'))),
    policy: { version: 1, surviveSites: 1 },
    founder: founder.descriptor,
    createdMs: epochMs,
    ...(byzantineVoters === 0 ? {} : { byzantineVoters }),
  });
  const cluster = clusterIdOf(genesisBytes);
  const members = people.slice(0, memberCount);
  const founding = foundingStatements(cluster, members);
  const cast: Cast = { byzantineVoters, people: members, genesisBytes, cluster, founding };
  casts.set(name, cast);
  return cast;
}

export type Command = {
  readonly id: CommandId;
  readonly body: ControlBody;
  readonly timeMs: number;
  readonly secrets: readonly Uint8Array[];
  readonly cluster: ClusterId;
  readonly generation: number;
};

export function sealed({ id, body, timeMs, secrets, cluster, generation }: Command): Uint8Array {
  return sealCommand({ command: { id, timeMs, body }, cluster, generation, secrets }).bytes;
}

function foundingStatements(cluster: ClusterId, members: readonly Person[]): Uint8Array[] {
  const envelopes: Uint8Array[] = [];
  const ends = new Map<AgentKey, { sequence: number; hash: Uint8Array }>();
  const add = (secrets: readonly Uint8Array[], body: StatementBody): void => {
    const writer = idOf<AgentKey>(publicKeyOf(secrets[0] as Uint8Array));
    const end = ends.get(writer) ?? { sequence: 0, hash: new Uint8Array(32) };
    const sequence = end.sequence + 1;
    const place = { writer, stream: clusterStream, sequence, previous: end.hash };
    const payload = encodeStatement({ ...place, timeMs: epochMs, body });
    const seal = { type: 'statement', cluster, generation, payload, secrets } as const;
    const { bytes, hash: own } = sealEnvelope(seal);
    ends.set(writer, { sequence, hash: own });
    envelopes.push(bytes);
  };
  for (const joiner of members.slice(1)) {
    const { site, region, roles } = joiner.descriptor;
    const secret = inviteSecret(secretOf(`code for ${joiner.descriptor.name}`));
    const inviteKey = idOf<PeerKey>(publicKeyOf(secret));
    const notAfterMs = epochMs + 3_600_000;
    const issuer = founder.agentKey;
    const invite = { inviteKey, site, region, roles, notAfterMs, issuer };
    add(operatorSecrets, { kind: 'invite', ...invite });
    const descriptor = encodeDescriptor(joiner.descriptor);
    const message = admissionMessage(cluster, descriptor);
    add([founder.statementSecret], {
      kind: 'admission',
      inviteKey,
      descriptor,
      inviteSignature: sign(secret, message),
      agentSignature: sign(joiner.statementSecret, message),
    });
  }
  return envelopes;
}

/** Where nobody is expected to lie. */
const plain = castOf({ byzantineVoters: 0, memberCount: 6 });
export const genesis = decodeGenesis(plain.genesisBytes);
export const cluster: ClusterId = plain.cluster;

/** The two statements that made somebody a member, as the control log asks for them. */
export function proofOf(agent: AgentKey): { invite: Uint8Array; admission: Uint8Array } {
  const at = 2 * (people.findIndex(({ agentKey }) => agentKey === agent) - 1);
  const [invite, admission] = plain.founding.slice(at, at + 2);
  if (invite === undefined || admission === undefined)
    throw new Error('nobody invited the founder');
  return { invite, admission };
}
