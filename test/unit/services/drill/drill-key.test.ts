import { expect, test } from 'vitest';
import { ageSealer } from '../../../../src/adapters/age/sealer.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { encodeKeyRecord } from '../../../../src/core/format/key-record.ts';
import { type AgentKey, idOf } from '../../../../src/core/ids.ts';
import { DrillKey, type DrillKeyOptions } from '../../../../src/services/drill/drill-key.ts';
import type { ManifestRecord } from '../../../../src/services/ledger.ts';
import { secretOf } from '../../../support/sample-cluster.ts';

const sealer = ageSealer();
const writer = idOf<AgentKey>(secretOf('source'));
const dataset = idOf<never>(secretOf('dataset').subarray(0, 16));
const epoch = await sealer.generate();
const record = {
  manifest: { dataset, keyEpoch: 1 },
  statement: { writer },
} as unknown as ManifestRecord;

async function bench() {
  const kept = new Map<string, Uint8Array>();
  const records: Uint8Array[] = [];
  const options = {
    secrets: {
      read: async (name: string) => kept.get(name),
      write: async (name: string, secret: Uint8Array) => void kept.set(name, secret),
    },
    keys: { record: async () => records[0] },
    roster: { keyEpoch: () => ({ epoch: 1, recipient: epoch.recipient }) },
    sealer,
  } as unknown as DrillKeyOptions;
  const seal = async (recipient: string): Promise<void> => {
    const files = [await sealer.seal([recipient], utf8(epoch.identity))];
    const name = { writer, dataset, epoch: 1, kitVersion: 1, recipients: [] };
    records[0] = encodeKeyRecord({ ...name, files }).bytes;
  };
  return { key: new DrillKey(options), again: () => new DrillKey(options), seal };
}

test('a drill key is made once, and opens a dataset whose record was sealed to it', async () => {
  const { key, again, seal } = await bench();
  const recipient = await key.recipient();
  expect(await again().recipient()).toBe(recipient);
  await seal(recipient);
  expect(await again().identitiesOf(record)).toEqual([epoch.identity]);
});

test('before that it opens nothing, and says how it is let to', async () => {
  const { key, seal } = await bench();
  const refusal = { next: expect.stringContaining('holdfast drill key') };
  await expect(key.identitiesOf(record)).rejects.toMatchObject({ code: 'key-needed', ...refusal });
  await key.recipient();
  await expect(key.identitiesOf(record)).rejects.toMatchObject({ code: 'key-needed', ...refusal });
  await seal((await sealer.generate()).recipient);
  await expect(key.identitiesOf(record)).rejects.toMatchObject({ code: 'wrong-key', ...refusal });
});
