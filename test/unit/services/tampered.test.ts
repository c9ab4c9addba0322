import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { publicKeyOf } from '../../../src/core/crypto/signature.ts';
import { sealCommand } from '../../../src/core/format/control-envelope.ts';
import type { ControlCommand } from '../../../src/core/format/control-records.ts';
import { sealEnvelope } from '../../../src/core/format/envelope.ts';
import {
  EnvelopeSchema,
  SignatureSchema,
} from '../../../src/core/format/gen/holdfast/v1/cluster_pb.js';
import { encodeStatement, receiptStream } from '../../../src/core/format/statement.ts';
import { type AgentKey, type ClusterId, idOf, type StatementHash } from '../../../src/core/ids.ts';
import { ControlState } from '../../../src/core/protocol/control/control-state.ts';
import { generation } from '../../../src/core/protocol/opened-statement.ts';
import { Ledger } from '../../../src/services/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryStatementLog } from '../../support/memory-statement-log.ts';
import {
  SampleCluster,
  sampleAgent,
  sampleDataset,
  sampleManifest,
} from '../../support/sample-cluster.ts';

const home = sampleDataset('home');
const bergen = sampleAgent('bergen');
/** The neutral point: "signatures" by it hold for every message where libraries do not look. */
const smallOrder = Uint8Array.of(1, ...new Uint8Array(31));
const smallSignature = Uint8Array.of(1, ...new Uint8Array(63));

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** The same envelope with other signatures. */
function signedBy(
  envelope: Uint8Array,
  signatures: { key: Uint8Array; signature: Uint8Array }[],
): Uint8Array {
  const message = fromBinary(EnvelopeSchema, envelope);
  message.signatures = signatures.map((one) => create(SignatureSchema, one));
  return toBinary(EnvelopeSchema, message);
}

async function bench() {
  const cluster = new SampleCluster();
  const membership = cluster.admit(bergen);
  const { statementSecret } = cluster.founder;
  const dataset = cluster.sign(statementSecret, home);
  const manifest = cluster.sign(statementSecret, sampleManifest(home.id, undefined));
  const receipt = cluster.sign(bergen.statementSecret, {
    ...{ kind: 'receipt', manifest: idOf<StatementHash>(manifest.hash), holdings: [] },
    ...{ freeBytes: 1, shardCount: 1 },
  });
  /** A member that knows all that comes before, and one that knows nothing yet. */
  const ledgers = await Promise.all(
    [[...membership, dataset.envelope], []].map(async (envelopes) => {
      const options = { genesisBytes: cluster.genesisBytes, clock: new ManualClock() };
      const ledger = await Ledger.open({ ...options, log: new MemoryStatementLog() });
      for (const envelope of envelopes) await ledger.ingest(envelope);
      return ledger;
    }),
  );
  return { cluster, dataset, manifest, receipt, ledgers };
}

describe('a tampered statement', () => {
  test('with any bit flipped is refused by whoever gets it, and freezes nobody', async () => {
    const { dataset, manifest, receipt, ledgers } = await bench();
    for (const { envelope } of [dataset, manifest, receipt]) {
      for (let bit = 0; bit < 8 * envelope.length; bit += 61) {
        for (const ledger of ledgers) {
          const result = await ledger.ingest(flipped(envelope, bit));
          expect(result.outcome, `bit ${bit}`).toBe('refused');
        }
      }
    }
    for (const ledger of ledgers) expect(ledger.forks()).toEqual([]);
    expect(await ledgers[0]?.ingest(manifest.envelope)).toMatchObject({ outcome: 'accepted' });
  });

  const cases: [string, (made: Awaited<ReturnType<typeof bench>>) => Uint8Array][] = [
    [
      'signed again with the key of another member',
      ({ cluster, manifest }) => {
        const payload = encodeStatement(manifest.statement);
        const secrets = [bergen.statementSecret];
        return sealEnvelope({
          type: 'statement',
          cluster: cluster.id,
          generation,
          payload,
          secrets,
        }).bytes;
      },
    ],
    [
      'signed for another cluster by the same writer',
      ({ manifest, cluster }) => {
        const payload = encodeStatement(manifest.statement);
        const secrets = [cluster.founder.statementSecret];
        const other = new SampleCluster('other').id;
        return sealEnvelope({ type: 'statement', cluster: other, generation, payload, secrets })
          .bytes;
      },
    ],
    [
      'signed as a command',
      ({ manifest, cluster }) => {
        const payload = encodeStatement(manifest.statement);
        const secrets = [cluster.founder.statementSecret];
        return sealEnvelope({ type: 'control', cluster: cluster.id, generation, payload, secrets })
          .bytes;
      },
    ],
    ['signed by nobody', ({ manifest }) => signedBy(manifest.envelope, [])],
    [
      'signed with a key of small order, beside the right one',
      ({ manifest }) => {
        const { signatures } = fromBinary(EnvelopeSchema, manifest.envelope);
        const small = { key: smallOrder, signature: smallSignature };
        return signedBy(manifest.envelope, [...signatures, small]);
      },
    ],
    [
      'of a writer whose key has a small order',
      ({ manifest, cluster }) => {
        const writer = idOf<AgentKey>(smallOrder);
        const payload = encodeStatement({ ...manifest.statement, writer });
        const secrets = [bergen.statementSecret];
        const sealed = { type: 'statement', cluster: cluster.id, generation, payload } as const;
        const { bytes } = sealEnvelope({ ...sealed, secrets });
        return signedBy(bytes, [{ key: smallOrder, signature: smallSignature }]);
      },
    ],
  ];

  test.each(cases)('%s is a bad signature to all members alike', async (_, make) => {
    const made = await bench();
    for (const ledger of made.ledgers) {
      const result = await ledger.ingest(make(made));
      expect(result).toMatchObject({ outcome: 'refused', code: 'bad-signature' });
    }
  });

  test('of one dataset is none of another, and a receipt stands in no other sequence', async () => {
    const { cluster, manifest, receipt, ledgers } = await bench();
    const secret = cluster.founder.statementSecret;
    const other = sampleDataset('other').id;
    const body = { ...manifest.statement.body, dataset: other };
    const { envelope } = cluster.sign(secret, body as typeof manifest.statement.body);
    expect(await ledgers[0]?.ingest(envelope)).toMatchObject({ code: 'not-found' });
    const misplaced = { ...receipt.statement, stream: 'cluster' };
    expect(() => encodeStatement(misplaced)).toThrow('may not stand in this stream');
    expect(receipt.statement.stream).toBe(receiptStream);
  });

  test('admits nobody under a key of small order', async () => {
    const { cluster, dataset, ledgers } = await bench();
    const guest = sampleAgent('guest');
    const invite = cluster.sign(cluster.operatorSecret, cluster.invite(guest));
    await ledgers[0]?.ingest(invite.envelope);
    const after = { sequence: dataset.statement.sequence, hash: dataset.hash };
    const admit = (change: Parameters<typeof cluster.admission>[1]) => {
      const secret = cluster.founder.statementSecret;
      const { envelope } = cluster.sign(secret, cluster.admission(guest, change), { after });
      return ledgers[0]?.ingest(envelope);
    };
    for (const name of ['statementKey', 'transportKey'] as const) {
      const descriptor = { [name]: idOf(smallOrder) };
      expect(await admit({ descriptor }), name).toMatchObject({ outcome: 'refused' });
    }
    expect(await admit({})).toMatchObject({ outcome: 'accepted' });
  });
});

describe('a tampered policy', () => {
  function policyBench() {
    const cluster = new SampleCluster();
    const states = [1, 2].map(() => new ControlState(cluster.genesis, cluster.id));
    const document = utf8('{"decreeNotice":"1h"}');
    const body = { kind: 'policy', version: 2, base: 1, document } as const;
    const command = { id: '07'.repeat(16), timeMs: 5, body } as unknown as ControlCommand;
    const seal = (secret: Uint8Array, id: ClusterId = cluster.id, log = 1): Uint8Array =>
      sealCommand({ command, cluster: id, generation: log, secrets: [secret] }).bytes;
    return { cluster, states, seal };
  }

  test('is void wherever it is applied, and all states stay the same', () => {
    const { cluster, states, seal } = policyBench();
    const genuine = seal(cluster.operatorSecret);
    const founder = cluster.founder.statementSecret;
    const forged: Uint8Array[] = [
      seal(founder),
      seal(cluster.operatorSecret, new SampleCluster('other').id),
      seal(cluster.operatorSecret, cluster.id, 2),
      signedBy(genuine, [{ key: smallOrder, signature: smallSignature }]),
      signedBy(genuine, [{ key: publicKeyOf(cluster.operatorSecret), signature: smallSignature }]),
    ];
    for (let bit = 0; bit < 8 * genuine.length; bit += 61) forged.push(flipped(genuine, bit));
    const before = states[0]?.policy.current.version;
    for (const [i, envelope] of forged.entries()) {
      for (const state of states) {
        const outcome = state.apply({ generation: 1, index: i + 1, term: 1, envelope });
        expect(outcome.outcome, `forgery ${i}`).toBe('void');
        expect(state.policy.current.version).toBe(before);
      }
    }
    expect(states[0]?.hash()).toEqual(states[1]?.hash());
  });

  test('genuine, it takes effect', () => {
    const { cluster, states, seal } = policyBench();
    const entry = { generation: 1, index: 1, term: 1, envelope: seal(cluster.operatorSecret) };
    expect(states[0]?.apply(entry)).toEqual({ outcome: 'applied' });
    expect(states[0]?.policy.current.version).toBe(2);
  });
});
