import { describe, expect, test } from 'vitest';
import { localMint } from '../../../../src/adapters/age/epoch-mint.ts';
import { ageSealer } from '../../../../src/adapters/age/sealer.ts';
import { utf8 } from '../../../../src/base/bytes.ts';
import { encodeKeyRecord } from '../../../../src/core/format/key-record.ts';
import { type AgentKey, idOf } from '../../../../src/core/ids.ts';
import { KeyRing } from '../../../../src/services/keys/key-ring.ts';
import type { ManifestRecord } from '../../../../src/services/ledger.ts';
import { secretOf } from '../../../support/sample-cluster.ts';

const sealer = ageSealer();
const writer = idOf<AgentKey>(secretOf('source'));
const dataset = idOf<never>(secretOf('dataset').subarray(0, 16));
const kit = await sealer.generate();
const stranger = await sealer.generate();
const epoch = await sealer.generate();

const record = {
  hash: idOf(secretOf('snapshot')),
  manifest: { dataset, keyEpoch: 1 },
  statement: { writer },
} as unknown as ManifestRecord;

type Answer = { record: Uint8Array; isDestroyed: boolean; destroyedMs: bigint };

const nothing: Answer = { record: new Uint8Array(), isDestroyed: false, destroyedMs: 0n };
const gone: Answer = { ...nothing, isDestroyed: true, destroyedMs: 1_767_225_600_000n };

async function holding(recipient: string, secret: string): Promise<Answer> {
  const files = [await sealer.seal([recipient], utf8(secret))];
  const name = { writer, dataset, epoch: 1, kitVersion: 1, recipients: [] };
  return { ...nothing, record: encodeKeyRecord({ ...name, files }).bytes };
}

function ring(answers: readonly Answer[]): KeyRing {
  const known = { writer, dataset, epoch: 1, recipient: epoch.recipient, wrap: undefined };
  const options = {
    ledger: { roster: { keyEpoch: () => ({ ...known, wrappedIdentity: new Uint8Array() }) } },
    peers: {
      reachable: () => answers.map((_, i) => ({ peerKey: i })),
      ask: async (i: number) => answers[i],
    },
    ...{ sealer, identities: [kit.identity] },
  };
  return new KeyRing(options as never);
}

describe('the holder of a kit', () => {
  test('opens an epoch with the first record that is right, whatever the others say', async () => {
    const wrong = await holding(stranger.recipient, epoch.identity);
    const swapped = await holding(kit.recipient, stranger.identity);
    const right = await holding(kit.recipient, epoch.identity);
    const all = ring([nothing, wrong, swapped, gone, right]);
    expect(await all.identitiesOf(record)).toEqual([epoch.identity]);
    expect(await all.isShredded(record)).toBe(false);
  });

  test('is told when every member has deleted the record', async () => {
    await expect(ring([gone, nothing]).identitiesOf(record)).rejects.toMatchObject({
      code: 'shredded',
      message: expect.stringContaining('on 2026-01-01'),
    });
    expect(await ring([gone]).isShredded(record)).toBe(true);
  });

  test('is told when the records are for another kit', async () => {
    const wrong = await holding(stranger.recipient, epoch.identity);
    await expect(ring([wrong]).identitiesOf(record)).rejects.toMatchObject({ code: 'wrong-key' });
  });

  test('is not content with a key that is not the epochs', async () => {
    const swapped = await holding(kit.recipient, stranger.identity);
    await expect(ring([swapped]).identitiesOf(record)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('is told when nobody has a record', async () => {
    await expect(ring([nothing]).identitiesOf(record)).rejects.toMatchObject({
      code: 'key-needed',
    });
  });
});

test('a minted epoch is sealed to each group in a file of its own', async () => {
  const minted = await localMint(sealer).mint([[kit.recipient], [stranger.recipient]]);
  const [one, two] = minted.files as [Uint8Array, Uint8Array];
  const opened = await sealer.open(kit.identity, one);
  expect(await sealer.recipientOf(new TextDecoder().decode(opened))).toBe(minted.recipient);
  expect(await sealer.open(stranger.identity, two)).toEqual(opened);
  await expect(sealer.open(kit.identity, two)).rejects.toMatchObject({ code: 'wrong-key' });
});
