import { ControlCommandSchema } from '../../../../src/core/format/gen/holdfast/v1/control_pb.js';
import { describe, expect, test } from 'vitest';
import { fromHex, fromUtf8, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { type HashPurpose, hash, KeyedHasher } from '../../../../src/core/crypto/hash.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  verifyCheckpoint,
} from '../../../../src/core/format/checkpoint.ts';
import { openCommand, sealCommand } from '../../../../src/core/format/control-envelope.ts';
import type { ControlCommand } from '../../../../src/core/format/control-records.ts';
import { clusterIdOf, decodeGenesis } from '../../../../src/core/format/genesis.ts';
import {
  decodeGrantPart,
  factPartSizeMax,
  keyParts,
  listParts,
} from '../../../../src/core/format/grant.ts';
import {
  decodeBase,
  decodeEntries,
  type EntriesChange,
  encodeBase,
  encodeEntries,
} from '../../../../src/core/format/journal-body.ts';
import {
  decodeRecordHead,
  encodeRecord,
  recordHeadSize,
} from '../../../../src/core/format/journal-record.ts';
import {
  decodeHeader,
  decodeMark,
  encodeHeader,
  encodeMark,
  type JournalMark,
} from '../../../../src/core/format/journal-segment.ts';
import { decodeLogImage, encodeLogImage } from '../../../../src/core/format/log-image.ts';
import { leafHashOf } from '../../../../src/core/format/merkle-log.ts';
import { MerkleRange } from '../../../../src/core/format/merkle-range.ts';
import { decodeRaftEntry, encodeRaftEntry } from '../../../../src/core/format/raft-message.ts';
import { decodeNote } from '../../../../src/core/format/signed-note.ts';
import type { AgentKey, ClusterId, PackId } from '../../../../src/core/ids.ts';
import { decodePlan, encodePlan, planHash } from '../../../../src/core/policy/plan-text.ts';
import type { PolicyDocument } from '../../../../src/core/policy/policy-document.ts';
import { decodePolicy, encodePolicy } from '../../../../src/core/policy/policy-text.ts';
import type { RestorePlan } from '../../../../src/core/policy/restore-plan.ts';
import { ControlState } from '../../../../src/core/protocol/control/control-state.ts';
import { decodeConfig, encodeConfig } from '../../../../src/core/protocol/raft/config-codec.ts';
import type {
  RaftConfig,
  RaftEntry,
  RaftSnapshot,
} from '../../../../src/core/protocol/raft/types.ts';
import { checkpointText, cosigner } from '../../../../src/core/protocol/control/log-checkpoint.ts';
import { noteOf, originText } from '../../../vectors/control/notes.ts';
import { fromPlain, toPlain } from '../../../vectors/control/plain-value.ts';
import type { Vector } from '../../../vectors/control/vector-list.ts';
import file from '../../../vectors/control.json' with { type: 'json' };

const genesis = decodeGenesis(bytesOf(file.genesis));
const cluster = file.cluster as ClusterId;
const hasher = new KeyedHasher(bytesOf(file.journalSalt));
const secrets = new Map(Object.entries(file.secrets));
const vectors: readonly Vector[] = file.vectors;

/** How bytes are read, and made of what they mean. */
type Codec = {
  readonly read: (bytes: Uint8Array) => { readonly value?: unknown; readonly id?: string };
  readonly write?: (value: never) => Uint8Array | string;
};

/** A refusal that the decoder returns instead of throwing it. */
class Refused extends Error {}

const codecs: Readonly<Record<string, Codec>> = {
  command: {
    read: (bytes) => {
      const { command, generation, hash: id, signers } = openCommand(bytes, cluster);
      return { id: toHex(id), value: { generation, signers: [...signers], command } };
    },
    write: (value: { generation: number; signers: string[]; command: ControlCommand }) => {
      const signing = value.signers.map((key) => bytesOf(secrets.get(key)));
      return sealCommand({ ...value, cluster, secrets: signing }).bytes;
    },
  },
  configuration: {
    read: (bytes) => ({ value: decodeConfig(bytes) }),
    write: (value: RaftConfig) => encodeConfig(value),
  },
  entry: {
    read: (bytes) => ({ value: decodeRaftEntry(bytes), id: toHex(leafHashOf(bytes)) }),
    write: (value: RaftEntry) => encodeRaftEntry(value),
  },
  'control state': { read: readState },
  'log image': {
    read: (bytes) => {
      const { tree, state } = decodeLogImage(bytes);
      const { size, roots } = tree;
      return { value: { size, roots, state }, id: toHex(tree.root()) };
    },
    write: (value: { size: number; roots: Uint8Array[]; state: Uint8Array }) => {
      const tree = MerkleRange.from(value.size, value.roots) as MerkleRange;
      return encodeLogImage({ tree, state: value.state });
    },
  },
  checkpoint: {
    read: (bytes) => ({ value: decodeCheckpoint(fromUtf8(bytes) ?? '') }),
    write: (value: Checkpoint) => encodeCheckpoint(value),
  },
  note: { read: readNote, write: noteOf },
  plan: {
    read: (bytes) => ({ value: decodePlan(bytes), id: planHash(bytes) }),
    write: (value: RestorePlan) => encodePlan(value),
  },
  policy: {
    read: (bytes) => ({ value: decodePolicy(bytes) }),
    write: (value: PolicyDocument) => encodePolicy(value),
  },
  'grant part': { read: readGrant, write: writeGrant },
  'journal header': {
    read: (bytes) => ({ value: { salt: sound(decodeHeader(bytes)) } }),
    write: ({ salt }: { salt: Uint8Array }) => encodeHeader(salt),
  },
  'journal mark': {
    read: (bytes) => ({ value: sound(decodeMark(hasher, bytes)) }),
    write: (value: JournalMark) => encodeMark(hasher, value),
  },
  'journal record': {
    read: readRecord,
    write: (value: Parameters<typeof encodeRecord>[1]) => encodeRecord(hasher, value).bytes,
  },
  'journal base': {
    read: (bytes) => ({ value: decodeBase(bytes) }),
    write: (value: RaftSnapshot) => encodeBase(value),
  },
  'journal entries': {
    read: (bytes) => ({ value: decodeEntries(bytes) }),
    write: (value: EntriesChange) => encodeEntries({ ...value, truncateFrom: value.truncateFrom }),
  },
};

function bytesOf(hex: string | undefined): Uint8Array {
  return fromHex(hex ?? 'none') as Uint8Array;
}

function contentOf({ bytes, text }: Vector): Uint8Array {
  return text === undefined ? bytesOf(bytes) : utf8(text);
}

function sound<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Refused('damaged');
  return value;
}

/** There is no value to write it from: what was read must write the same. */
function readState(bytes: Uint8Array) {
  const state = ControlState.decode(bytes, genesis, cluster);
  expect(toHex(state.encode())).toBe(toHex(bytes));
  return { id: toHex(state.hash()) };
}

function readNote(bytes: Uint8Array) {
  const note = fromUtf8(bytes) ?? '';
  const keys = file.voters.map((voter) => cosigner(voter as AgentKey));
  const verdict = verifyCheckpoint(note, { origin: originText(cluster, 1), keys, threshold: 2 });
  if (verdict.kind !== 'verified') throw new Refused(verdict.kind);
  const signatures = decodeNote(note).signatures.map((line) => ({
    key: [...secrets.keys()].find((key) => cosigner(key as AgentKey).name === line.name),
    timeSeconds: Number(new DataView(line.bytes.buffer, line.bytes.byteOffset).getBigUint64(0)),
  }));
  return { value: { text: decodeNote(note).text, signatures } };
}

type PlainPart =
  | { kind: 'list'; facts: never[] }
  | { kind: 'keys'; snapshots: { keys: { pack: PackId; key: Uint8Array }[] }[] };

function readGrant(bytes: Uint8Array) {
  const part = decodeGrantPart(bytes);
  if (part.kind === 'list') return { value: part };
  const snapshots = part.snapshots.map(({ keys, ...rest }) => ({
    ...rest,
    keys: [...keys].map(([pack, key]) => ({ pack, key })),
  }));
  return { value: { kind: 'keys', snapshots } };
}

function writeGrant(value: PlainPart): Uint8Array {
  if (value.kind === 'list') return listParts(value.facts, factPartSizeMax)[0] as Uint8Array;
  const snapshots = value.snapshots.map(({ keys, ...rest }) => ({
    ...(rest as { dataset: never; snapshot: never }),
    keys: new Map(keys.map(({ pack, key }) => [pack, key])),
  }));
  return keyParts(snapshots, factPartSizeMax)[0] as Uint8Array;
}

function readRecord(bytes: Uint8Array) {
  const head = sound(decodeRecordHead(hasher, bytes));
  const body = bytes.subarray(recordHeadSize);
  const isWhole = head.bodySize === body.length;
  if (!isWhole || toHex(hasher.hash(body)) !== toHex(head.bodyHash)) throw new Refused('damaged');
  const { kind, summary, previous } = head;
  return { value: { kind, summary, previous, body }, id: toHex(head.hash) };
}

function outcomeOf(read: () => unknown): string {
  try {
    read();
    return 'ok';
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    if (error instanceof Refused) return error.message;
    throw error;
  }
}

describe.each(Object.keys(codecs))('the vectors of "%s"', (format) => {
  const own = vectors.filter((vector) => vector.format === format);
  const { read, write } = codecs[format] as Codec;

  test('show what is taken and what is refused', () => {
    expect(own.some(({ outcome }) => outcome === 'ok')).toBe(true);
    expect(own.some(({ outcome }) => outcome !== 'ok')).toBe(true);
  });

  test.each(own)('$what: $outcome', (vector) => {
    expect(outcomeOf(() => read(contentOf(vector)))).toBe(vector.outcome);
  });

  test.each(own.filter(({ outcome }) => outcome === 'ok'))('$what means what it says', (vector) => {
    const { value, id } = read(contentOf(vector));
    expect(id).toBe(vector.id);
    expect(toPlain(value)).toEqual(vector.value);
    if (write === undefined) return;
    const written = write(fromPlain(vector.value) as never);
    const bytes = typeof written === 'string' ? utf8(written) : written;
    expect(toHex(bytes)).toBe(toHex(contentOf(vector)));
  });
});

test('every vector has a codec', () => {
  const names = new Set(vectors.map(({ format }) => format));
  expect([...names].sort()).toEqual(Object.keys(codecs).sort());
});

test('the commands show every kind', () => {
  const shown = vectors.filter(({ format, outcome }) => format === 'command' && outcome === 'ok');
  expect(new Set(shown.map(({ what }) => what)).size).toBe(
    ControlCommandSchema.oneofs[0]?.fields.length,
  );
});

test.each(file.hashes)(
  'hashes for $purpose are unlike others',
  ({ purpose, text, hash: known }) => {
    expect(toHex(hash(purpose as HashPurpose, utf8(text)))).toBe(known);
  },
);

describe('the log of the vectors', () => {
  const { entries, root, stateHash, voids } = file.log;
  const tree = MerkleRange.empty();
  const state = new ControlState(genesis, cluster);
  for (const entry of entries) {
    tree.append(leafHashOf(bytesOf(entry)));
    const { index, term, kind, payload } = decodeRaftEntry(bytesOf(entry));
    if (kind === 'config') state.applyConfig(decodeConfig(payload), index);
    if (kind === 'command') state.apply({ generation: 1, index, term, envelope: payload });
  }

  test('belongs to the cluster of the genesis beside it', () => {
    expect(clusterIdOf(bytesOf(file.genesis))).toBe(cluster);
  });

  test('leads to the one state, whose hash leaves out which entries were void', () => {
    expect(state.findings.voids.map(({ index }) => index)).toEqual(voids);
    expect(toHex(state.hash())).toBe(stateHash);
    expect(state.lastIndex).toBe(5);
  });

  test('has the root and the checkpoint that voters sign', () => {
    expect(toHex(tree.root())).toBe(root);
    const { voters } = state.config;
    const head = { size: tree.size, root: tree.root(), stateHash: state.hash(), voters };
    const vector = vectors.find(({ format }) => format === 'checkpoint');
    expect(checkpointText(cluster, 1, head)).toBe(vector?.text);
  });

  test('gives the image of the vectors', () => {
    const vector = vectors.find(({ format }) => format === 'log image');
    const image = decodeLogImage(bytesOf(vector?.bytes));
    expect(toHex(image.tree.root())).toBe(root);
    expect(toHex(ControlState.decode(image.state, genesis, cluster).hash())).toBe(stateHash);
  });
});
