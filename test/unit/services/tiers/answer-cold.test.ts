import { expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { idBytes, type PackId, type PeerKey } from '../../../../src/core/ids.ts';
import type { Answer, AskedValue } from '../../../../src/core/protocol/exchange-kinds.ts';
import type { ShardTiers } from '../../../../src/ports/shard-tiers.ts';
import type { Handler } from '../../../../src/services/serve.ts';
import { answerCold } from '../../../../src/services/tiers/answer-cold.ts';
import { ColdView } from '../../../../src/services/tiers/cold-view.ts';
import { KeepingSample, packOf } from '../../../support/keeping-sample.ts';

const count = 20_000;
const packs = Array.from({ length: count }, (_, i) => packOf(String(i)));
const coldOnes = new Set(packs.filter((_, i) => i % 2 === 0));

async function answering(tiers: Pick<ShardTiers, 'cold' | 'terms'> | undefined) {
  const host = new KeepingSample();
  const record = await host.snapshot([['a']]);
  let handler: Handler<'cold'> | undefined;
  answerCold(
    {
      register: (_kind, given) => {
        handler = given as unknown as Handler<'cold'>;
      },
    },
    {
      ledger: { manifest: (hash) => (hash === record.hash ? record : undefined) },
      view: {
        packs: async () =>
          packs.map((pack) => ({ pack, k: 2, m: 1, type: 'data' as const, size: 1000 })),
      },
      tiers: tiers as ShardTiers | undefined,
    },
  );
  return { record, handler: handler as Handler<'cold'> };
}

test('what is cold of a large snapshot is said in several answers, and nothing of others', async () => {
  const terms = { delayMs: 80.4, pricePerGiB: '0.09 EUR' };
  const cold = (pack: PackId): readonly number[] => (coldOnes.has(pack) ? [0, 2] : []);
  const { record, handler } = await answering({ cold, terms });
  let asked = 0;
  const ask = async (_peer: PeerKey, question: { value: AskedValue<'cold'> }) => {
    asked++;
    return (await handler(question.value, {} as never)) as Answer<'cold'>;
  };
  const member = { peerKey: 'p' as PeerKey, name: 'one', hasRole: () => true };
  const peers = { ask, reachable: () => [member] };
  const view = await ColdView.ask(peers as never, record);
  expect(asked).toBe(2);
  const isAt = (pack: PackId, index: number) => view.isCold(pack, { peer: member.peerKey, index });
  expect(packs.every((pack) => isAt(pack, 2) === coldOnes.has(pack))).toBe(true);
  expect(packs.some((pack) => isAt(pack, 1))).toBe(false);
  const other = await handler({ manifest: idBytes(packOf('x')), skip: 0 } as never, {} as never);
  expect(other).toMatchObject({ packs: [], next: 0 });
  const short = { manifest: new Uint8Array(5), skip: 0 } as never;
  await expect(handler(short, {} as never)).rejects.toMatchObject({ code: 'bad-encoding' });
});

test('a host without a cold store has nothing cold', async () => {
  const { record, handler } = await answering(undefined);
  const asked = { manifest: idBytes(record.hash), skip: 0 } as never;
  expect(await handler(asked, {} as never)).toEqual({ packs: [], next: 0 });
});

test('a peer that does not answer, or leads round in circles, does not keep a restore waiting', async () => {
  const { record } = await answering(undefined);
  const silent = { peerKey: 's' as PeerKey, name: 'silent', hasRole: () => true };
  const circling = { peerKey: 'c' as PeerKey, name: 'circling', hasRole: () => true };
  let asked = 0;
  const ask = async (peer: PeerKey) => {
    if (peer === silent.peerKey) throw new HoldfastError('peer-unreachable', 'no answer');
    asked++;
    return { packs: [], next: 1, delayMs: 0n, pricePerGib: '' };
  };
  const peers = { ask, reachable: () => [silent, circling] };
  await ColdView.ask(peers as never, record);
  expect(asked).toBe(2);
});
