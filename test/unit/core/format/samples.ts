import fc from 'fast-check';
import { concat, utf8 } from '../../../../src/base/bytes.ts';
import { leafHashes, merkleRoot } from '../../../../src/core/coding/merkle.ts';
import { publicKeyOf } from '../../../../src/core/crypto/signature.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { encodeDescriptor } from '../../../../src/core/format/genesis.ts';
import type {
  AgentDescriptor,
  Genesis,
  IndexSegmentRef,
  InviteCode,
  Root,
  StatementBody,
} from '../../../../src/core/format/records.ts';
import type { RecoveryKit } from '../../../../src/core/format/recovery-kit.ts';
import { packIdOf, type ShardHead, shardSizeOf } from '../../../../src/core/format/shard.ts';
import { type Statement, streamOf } from '../../../../src/core/format/statement.ts';
import type { TreeEntry } from '../../../../src/core/format/tree.ts';
import { type AgentKey, idOf, type PackId } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';

/** `size` bytes that all are `value`. */
export function filled(value: number, size = 32): Uint8Array {
  return new Uint8Array(size).fill(value);
}

export const agentSecret = filled(1);
export const operatorSecret = filled(2);
export const agentKey = idOf<AgentKey>(publicKeyOf(agentSecret));

const recipient = `age1pq1${'q'.repeat(1952)}`;

export const descriptor: AgentDescriptor = {
  name: 'nas-1',
  site: 'berlin',
  region: 'eu',
  roles: ['source', 'storage'],
  transportKey: idOf(filled(3)),
  statementKey: agentKey,
};

export const genesis: Genesis = {
  name: 'Müller & Söhne',
  salt: filled(4),
  operators: [{ name: 'ada', key: idOf(publicKeyOf(operatorSecret)), recipient }],
  operatorThreshold: 1,
  recoveryRecipient: recipient,
  recoveryKey: idOf(filled(5)),
  policy: { version: 1, surviveSites: 2 },
  founder: descriptor,
  createdMs: 1_767_225_600_000,
};

export const blob = {
  pack: idOf<PackId>(filled(6)),
  frame: 3,
  frameOffset: 1000,
  frameSize: 500,
  offset: 10,
  length: 90,
};

export const manifestBody: StatementBody & { kind: 'manifest' } = {
  kind: 'manifest',
  dataset: idOf(filled(7, 16)),
  writerEpoch: 1,
  sequence: 2,
  previous: idOf(filled(8)),
  snapshotKind: 'increment',
  policyVersion: 1,
  keyEpoch: 1,
  root: blob,
  packSegments: [{ hash: idOf(filled(9)), count: 1024 }],
  totals: {
    files: 3,
    directories: 1,
    others: 0,
    bytes: 2 ** 40,
    bytesRead: 5,
    bytesAdded: 6,
    filesNew: 1,
    filesChanged: 1,
    filesUnmodified: 1,
    filesUnstable: 0,
    chunksNew: 2,
    durationMs: 1500,
  },
  sourceTimeMs: 1_767_225_600_000,
  nextByMs: 0,
  tags: ['before-upgrade', 'v1.2'],
  host: 'nas-1.example',
  program: 'holdfast 0.1.0',
  surviveSites: 2,
  changes: {
    filesCompared: 3,
    filesDeleted: 1,
    namesSuspect: 0,
    canariesBroken: 0,
    bytesNew: 5,
    bytesDense: 2,
  },
};

export const bodies: Readonly<Record<StatementBody['kind'], StatementBody>> = {
  invite: {
    kind: 'invite',
    inviteKey: idOf(filled(10)),
    site: 'oslo',
    region: 'eu',
    roles: ['storage', 'voter'],
    notAfterMs: 1_767_312_000_000,
    issuer: agentKey,
  },
  admission: {
    kind: 'admission',
    inviteKey: idOf(filled(10)),
    descriptor: encodeDescriptor(descriptor),
    inviteSignature: filled(11, 64),
    agentSignature: filled(12, 64),
  },
  drill: { kind: 'drill', report: utf8('{"version":1}') },
  operators: { kind: 'operators', evidence: [filled(13), filled(14, 40)] },
  'proved-invite': { kind: 'proved-invite', evidence: [filled(13), filled(15, 40)] },
  address: {
    kind: 'address',
    multiaddrs: ['/ip4/192.0.2.1/tcp/7420', '/dns4/nas.example/tcp/7420'],
    version: '0.1.0',
  },
  dataset: {
    kind: 'dataset',
    id: idOf(filled(7, 16)),
    name: 'Fotos – Büro',
    chunkMin: 65536,
    chunkAverage: 262144,
    chunkMax: 1048576,
    keyEpoch: 1,
    recipient,
    wrappedIdentity: filled(13, 2000),
  },
  manifest: manifestBody,
  receipt: {
    kind: 'receipt',
    manifest: idOf(filled(14)),
    holdings: [idOf(filled(15)), idOf(filled(16))],
    freeBytes: 2 ** 42,
    shardCount: 12,
  },
};

/** The first statement of the stream that the body belongs to. */
export function statementOf(body: StatementBody): Statement {
  return {
    writer: agentKey,
    stream: streamOf(body),
    sequence: 1,
    previous: filled(0),
    timeMs: 1_767_225_600_000,
    body,
  };
}

/** A pack of `packSize` bytes and the head of each of its shards. */
export function codedPack(code: { k: number; m: number; packSize: number }): {
  shards: Uint8Array[];
  heads: ShardHead[];
} {
  const { k, m, packSize } = code;
  const size = shardSizeOf({ k, packSize });
  const shards = Array.from({ length: k + m }, (_, index) => filled(index + 1, size));
  const leaves = shards.map((shard) => leafHashes(shard, limits.leafSize));
  const roots = leaves.map(merkleRoot);
  const pack = packIdOf({ k, m, packSize, roots });
  const owner = { dataset: idOf<ShardHead['dataset']>(filled(7, 16)), writer: agentKey };
  const heads = leaves.map(
    (own, index): ShardHead => ({
      ...owner,
      pack,
      k,
      m,
      packSize,
      roots,
      index,
      leaves: own,
      type: 'data',
    }),
  );
  return { shards, heads };
}

export const entry: TreeEntry = {
  name: new TextEncoder().encode('report.pdf'),
  mode: 0o100644,
  uid: 1000,
  gid: 1000,
  user: 'ada',
  group: 'staff',
  mtimeNs: 1_767_225_600_123_456_789n,
  size: 3_000_000,
  content: [
    { id: filled(17), length: 1_000_000 },
    { id: undefined, length: 2_000_000 },
  ],
  contentList: [],
  tree: [],
  target: undefined,
  rdev: 0n,
  linkGroup: 7n,
  xattrs: [{ name: new TextEncoder().encode('user.tag'), value: filled(18, 3) }],
};

const segmentRef: IndexSegmentRef = { blob, count: 100 };

export const root: Root = {
  tree: [filled(19), filled(20)],
  index: [segmentRef],
  paths: [new TextEncoder().encode('/home/ada'), Uint8Array.of(0x2f, 0xff)],
  idKey: filled(21),
  unstable: [{ path: new TextEncoder().encode('a\nb'), reason: 'changed while it was read' }],
  host: 'nas-1',
};

export const inviteCode: InviteCode = {
  cluster: idOf(filled(22)),
  secret: filled(23),
  site: 'oslo',
  region: 'eu',
  roles: ['storage'],
  notAfterMs: 1_767_312_000_000,
  contacts: [{ peer: idOf(filled(24)), multiaddrs: ['/ip4/192.0.2.1/tcp/7420'] }],
};

export const kit: RecoveryKit = {
  clusterName: 'Müller & Söhne',
  clusterId: idOf(filled(25)),
  identity: `AGE-SECRET-KEY-PQ-1${'Q'.repeat(58)}`,
  addresses: [
    { peer: idOf(filled(26)), multiaddrs: ['/ip4/192.0.2.1/tcp/7420', '/ip6/2001:db8::1/tcp/1'] },
    {
      peer: idOf(filled(27)),
      multiaddrs: ['/dns4/a-host-with-a-rather-long-name.storage.internal.example/tcp/7420'],
    },
  ],
  createdMs: 1_767_225_600_000,
};

/** Valid bytes with one to three places changed, cut or doubled. */
export function mutationsOf(valid: Uint8Array): fc.Arbitrary<Uint8Array> {
  const step = fc.record({
    kind: fc.constantFrom('set', 'insert', 'remove', 'cut'),
    at: fc.nat(Math.max(0, valid.length - 1)),
    byte: fc.nat(255),
  });
  return fc.array(step, { minLength: 1, maxLength: 3 }).map((steps) => {
    let bytes = valid;
    for (const { kind, at, byte } of steps) {
      const before = bytes.subarray(0, at);
      if (kind === 'cut') bytes = before;
      else if (kind === 'insert') bytes = concat([before, Uint8Array.of(byte), bytes.subarray(at)]);
      else if (kind === 'remove') bytes = concat([before, bytes.subarray(at + 1)]);
      else bytes = concat([before, Uint8Array.of(byte), bytes.subarray(at + 1)]);
    }
    return bytes;
  });
}

/** What a decoder says of bytes: "ok", or the code of its operating error. Anything else fails the test. */
export function outcomeOf(decode: () => unknown): string {
  try {
    decode();
    return 'ok';
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
}

/** Pack ids that ascend with `i`. */
export function packIdAt(i: number): PackId {
  return idOf(filled(0x40 + i));
}
