import { publicKeyOf, sign } from '../../src/core/crypto/signature.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import {
  admissionMessage,
  clusterIdOf,
  decodeGenesis,
  encodeDescriptor,
  encodeGenesis,
} from '../../src/core/format/genesis.ts';
import { inviteSecret } from '../../src/core/format/invite-code.ts';
import type { AgentDescriptor, Role } from '../../src/core/format/records.ts';
import {
  encodeStatement,
  type Statement,
  type StatementBody,
  streamOf,
} from '../../src/core/format/statement.ts';
import { type AgentKey, type DatasetId, idOf, type PeerKey } from '../../src/core/ids.ts';
import { generation } from '../../src/core/protocol/opened-statement.ts';
import { secretOf } from '../data/cast.ts';
import { epochMs } from '../world.ts';

export type Person = {
  readonly name: string;
  readonly site: string;
  readonly agentKey: AgentKey;
  readonly statementSecret: Uint8Array;
  readonly descriptor: AgentDescriptor;
};

function person(name: string, site: string, roles: readonly Role[]): Person {
  const statementSecret = secretOf(`keeping statement ${name}`);
  const agentKey = idOf<AgentKey>(publicKeyOf(statementSecret));
  const transportKey = idOf<PeerKey>(publicKeyOf(secretOf(`keeping transport ${name}`)));
  const descriptor = { name, site, region: 'eu', roles, transportKey, statementKey: agentKey };
  return { name, site, agentKey, statementSecret, descriptor };
}

const all: readonly Role[] = ['storage', 'voter'];

/** Four sites that store, two hosts at the first of them. The first three vote. */
export const keepers: readonly Person[] = [
  person('ada', 'a', all),
  person('bob', 'b', all),
  person('cyd', 'c', all),
  person('dan', 'd', ['storage']),
  person('abe', 'a', all),
];
/** Backs up, and stores nothing. */
export const source = person('sam', 'e', ['source']);
export const everybody = [...keepers, source];
export const votersMax = 3;
export const dataset = idOf<DatasetId>(secretOf('keeping dataset').subarray(0, 16));

export const operatorSecret = secretOf('keeping operator');
const founder = keepers[0] as Person;

export const genesisBytes = encodeGenesis({
  name: 'simulated',
  salt: secretOf('keeping salt'),
  operators: [{ name: 'operator', key: idOf(publicKeyOf(operatorSecret)), recipient: '' }],
  operatorThreshold: 1,
  recoveryRecipient: `age1pq1${'q'.repeat(60)}`,
  recoveryKey: idOf(publicKeyOf(secretOf('keeping kit'))),
  policy: { version: 1, surviveSites: 2 },
  founder: founder.descriptor,
  createdMs: epochMs,
});
export const genesis = decodeGenesis(genesisBytes);
export const cluster = clusterIdOf(genesisBytes);

/** What makes somebody a member, for the control log: an invite and an admission. */
export function admissionOf(joiner: Person): { invite: Uint8Array; admission: Uint8Array } {
  const secret = inviteSecret(secretOf(`keeping code for ${joiner.name}`));
  const { site, region, roles } = joiner.descriptor;
  const inviteKey = idOf<PeerKey>(publicKeyOf(secret));
  const notAfterMs = epochMs + 3_600_000;
  const issuer = founder.agentKey;
  const descriptor = encodeDescriptor(joiner.descriptor);
  const message = admissionMessage(cluster, descriptor);
  return {
    invite: signed(operatorSecret, {
      kind: 'invite',
      inviteKey,
      site,
      region,
      roles,
      notAfterMs,
      issuer,
    }),
    admission: signed(founder.statementSecret, {
      kind: 'admission',
      inviteKey,
      descriptor,
      inviteSignature: sign(secret, message),
      agentSignature: sign(joiner.statementSecret, message),
    }),
  };
}

function signed(secret: Uint8Array, body: StatementBody): Uint8Array {
  const writer = idOf<AgentKey>(publicKeyOf(secret));
  return signAs({ writer, secret, sequence: 1, previous: new Uint8Array(32) }, body).bytes;
}

/** A statement in a writer's name, whoever signs it. */
export function signAs(
  {
    secret,
    ...place
  }: Pick<Statement, 'writer' | 'sequence' | 'previous'> & {
    readonly secret: Uint8Array;
  },
  body: StatementBody,
): { bytes: Uint8Array; hash: Uint8Array } {
  const payload = encodeStatement({ ...place, stream: streamOf(body), timeMs: epochMs, body });
  return sealEnvelope({ type: 'statement', cluster, generation, payload, secrets: [secret] });
}
