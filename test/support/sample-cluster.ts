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
import { noChanges } from '../../src/core/format/manifest.ts';
import type {
  Admission,
  AgentDescriptor,
  Dataset,
  Genesis,
  Invite,
  Manifest,
  Role,
} from '../../src/core/format/records.ts';
import {
  encodeStatement,
  type Statement,
  type StatementBody,
  streamOf,
} from '../../src/core/format/statement.ts';
import {
  type AgentKey,
  type ClusterId,
  type DatasetId,
  idOf,
  type PackId,
  type PeerKey,
  type StatementHash,
} from '../../src/core/ids.ts';
import { generation } from '../../src/core/protocol/opened-statement.ts';

export const startMs = Date.UTC(2026, 0, 1);

/** 32 bytes that depend on the name alone. */
export function secretOf(name: string): Uint8Array {
  return new Uint8Array(32).map((_, i) => (name.charCodeAt(i % name.length) * 31 + i * 7) & 0xff);
}

export type SampleAgent = {
  readonly descriptor: AgentDescriptor;
  readonly agentKey: AgentKey;
  readonly peerKey: PeerKey;
  readonly statementSecret: Uint8Array;
};

const allRoles: readonly Role[] = ['source', 'storage', 'voter'];

/** An agent named after its site, unless told otherwise. */
export function sampleAgent(site: string, change: Partial<AgentDescriptor> = {}): SampleAgent {
  const name = change.name ?? `${site}-host`;
  const statementSecret = secretOf(`statement ${name}`);
  const descriptor: AgentDescriptor = {
    name,
    site,
    region: 'eu',
    roles: allRoles,
    transportKey: idOf(publicKeyOf(secretOf(`transport ${name}`))),
    statementKey: idOf(publicKeyOf(statementSecret)),
    ...change,
  };
  return {
    descriptor,
    agentKey: descriptor.statementKey,
    peerKey: descriptor.transportKey,
    statementSecret,
  };
}

/** What one signer has signed last in a stream: to build the next statement on. */
export type ChainEnd = { readonly sequence: number; readonly hash: Uint8Array };

/** A cluster of one founder and one operator, and the means to sign in anybody's name. */
export class SampleCluster {
  readonly genesisBytes: Uint8Array;
  readonly genesis: Genesis;
  readonly id: ClusterId;
  readonly founder: SampleAgent;
  readonly operatorSecret = secretOf('operator');
  readonly operatorKey: AgentKey = idOf(publicKeyOf(this.operatorSecret));
  readonly recoveryKey: PeerKey = idOf(publicKeyOf(secretOf('recovery')));
  readonly #ends = new Map<string, ChainEnd>();

  constructor(name = 'sample', change: Partial<Genesis> = {}) {
    this.founder = sampleAgent('oslo');
    this.genesisBytes = encodeGenesis({
      name,
      salt: secretOf(`salt ${name}`),
      operators: [{ name: 'operator', key: this.operatorKey, recipient: '' }],
      operatorThreshold: 1,
      recoveryRecipient: `age1pq1${'q'.repeat(60)}`,
      recoveryKey: this.recoveryKey,
      policy: { version: 1, surviveSites: 1 },
      founder: this.founder.descriptor,
      createdMs: startMs,
      ...change,
    });
    this.genesis = decodeGenesis(this.genesisBytes);
    this.id = clusterIdOf(this.genesisBytes);
  }

  /** The next statement of a writer's stream, signed. `after`: instead of what was signed last. */
  sign(
    secret: Uint8Array,
    body: StatementBody,
    options: { after?: ChainEnd | undefined; timeMs?: number; secrets?: Uint8Array[] } = {},
  ): { envelope: Uint8Array; statement: Statement; hash: Uint8Array } {
    const writer = idOf<AgentKey>(publicKeyOf(secret));
    const stream = streamOf(body);
    const key = `${writer}/${stream}`;
    const end = 'after' in options ? options.after : this.#ends.get(key);
    const statement: Statement = {
      writer,
      stream,
      sequence: (end?.sequence ?? 0) + 1,
      previous: end?.hash ?? new Uint8Array(32),
      timeMs: options.timeMs ?? startMs,
      body,
    };
    const { bytes, hash } = sealEnvelope({
      type: 'statement',
      cluster: this.id,
      generation,
      payload: encodeStatement(statement),
      secrets: options.secrets ?? [secret],
    });
    if (!('after' in options)) this.#ends.set(key, { sequence: statement.sequence, hash });
    return { envelope: bytes, statement, hash };
  }

  /** A manifest at any place of a dataset's sequence, signed: all that it takes to anchor it. */
  manifestAt(
    secret: Uint8Array,
    { dataset, sequence, ...change }: { dataset: DatasetId; sequence: number } & Partial<Manifest>,
  ): { envelope: Uint8Array; hash: StatementHash } {
    const before = { sequence: sequence - 1, hash: secretOf(`before ${sequence}`) };
    const after = sequence === 1 ? undefined : before;
    const { envelope, hash } = this.sign(secret, sampleManifest(dataset, after, change), { after });
    return { envelope, hash: idOf(hash) };
  }

  /** The secret that a code for this agent would carry. */
  codeSecret(agent: SampleAgent): Uint8Array {
    return secretOf(`code ${agent.descriptor.name}`);
  }

  invite(agent: SampleAgent, change: Partial<Invite> = {}): { kind: 'invite' } & Invite {
    const { site, region, roles } = agent.descriptor;
    return {
      kind: 'invite',
      inviteKey: idOf(publicKeyOf(inviteSecret(this.codeSecret(agent)))),
      site,
      region,
      roles,
      notAfterMs: startMs + 3_600_000,
      issuer: this.founder.agentKey,
      ...change,
    };
  }

  admission(
    agent: SampleAgent,
    change: {
      descriptor?: Partial<AgentDescriptor>;
      code?: Uint8Array;
      agentSecret?: Uint8Array;
    } = {},
  ): { kind: 'admission' } & Admission {
    const descriptor = encodeDescriptor({ ...agent.descriptor, ...change.descriptor });
    const secret = inviteSecret(change.code ?? this.codeSecret(agent));
    const message = admissionMessage(this.id, descriptor);
    return {
      kind: 'admission',
      inviteKey: idOf(publicKeyOf(secret)),
      descriptor,
      inviteSignature: sign(secret, message),
      agentSignature: sign(change.agentSecret ?? agent.statementSecret, message),
    };
  }

  /** Envelopes that make the agent a member. */
  admit(agent: SampleAgent): Uint8Array[] {
    return [
      this.sign(this.operatorSecret, this.invite(agent)).envelope,
      this.sign(this.founder.statementSecret, this.admission(agent)).envelope,
    ];
  }
}

/** A dataset record of that name; its id depends on the name alone. */
export function sampleDataset(
  name: string,
  change: Partial<Dataset> = {},
): { kind: 'dataset' } & Dataset {
  return {
    kind: 'dataset',
    id: idOf<DatasetId>(secretOf(`dataset ${name}`).subarray(0, 16)),
    name,
    chunkMin: 16384,
    chunkAverage: 65536,
    chunkMax: 262144,
    keyEpoch: 1,
    recipient: `age1pq1${'q'.repeat(60)}`,
    wrappedIdentity: Uint8Array.of(1, 2, 3),
    ...change,
  };
}

/** A manifest that follows `after` in its dataset. */
export function sampleManifest(
  dataset: DatasetId,
  after: ChainEnd | undefined,
  change: Partial<Manifest> = {},
): { kind: 'manifest' } & Manifest {
  return {
    kind: 'manifest',
    dataset,
    writerEpoch: 1,
    sequence: (after?.sequence ?? 0) + 1,
    previous: after === undefined ? undefined : idOf<StatementHash>(after.hash),
    snapshotKind: 'increment',
    policyVersion: 1,
    keyEpoch: 1,
    root: {
      pack: idOf<PackId>(secretOf('pack')),
      frame: 0,
      frameOffset: 2048,
      frameSize: 100,
      offset: 0,
      length: 50,
    },
    packSegments: [],
    totals: {
      files: 1,
      directories: 1,
      others: 0,
      bytes: 10,
      bytesRead: 10,
      bytesAdded: 10,
      filesNew: 1,
      filesChanged: 0,
      filesUnmodified: 0,
      filesUnstable: 0,
      chunksNew: 1,
      durationMs: 1,
    },
    sourceTimeMs: startMs,
    nextByMs: 0,
    tags: [],
    host: 'host',
    program: 'holdfast test',
    surviveSites: 1,
    changes: noChanges,
    ...change,
  };
}
