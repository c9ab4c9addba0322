import { HoldfastError } from '../../core/errors.ts';
import { idBytes, idOf, type StatementHash } from '../../core/ids.ts';
import type { AnswerInit } from '../../core/protocol/exchange-kinds.ts';
import type { ShardTiers } from '../../ports/shard-tiers.ts';
import type { DurabilityView } from '../durability-view.ts';
import type { Ledger } from '../ledger.ts';
import type { Serve } from '../serve.ts';

export type AnswerColdOptions = {
  readonly ledger: Pick<Ledger, 'manifest'>;
  readonly view: Pick<DurabilityView, 'packs'>;
  /** Undefined on a host without a cold store. */
  readonly tiers: ShardTiers | undefined;
};

/** Packs of one answer: they must fit a message. */
const packsMax = 8192;

/** Lets others know, before they read, what of a snapshot lies in this host's cold store. */
export function answerCold(serve: Pick<Serve, 'register'>, options: AnswerColdOptions): void {
  serve.register('cold', async ({ manifest, skip }) => {
    if (manifest.length !== 32) throw new HoldfastError('bad-encoding', 'a hash has 32 bytes');
    return coldPart(options, idOf<StatementHash>(manifest), skip);
  });
}

async function coldPart(
  { ledger, view, tiers }: AnswerColdOptions,
  manifest: StatementHash,
  skip: number,
): Promise<AnswerInit<'cold'>> {
  const record = ledger.manifest(manifest);
  if (tiers === undefined || record === undefined) return { packs: [], next: 0 };
  const entries = (await view.packs(record)) ?? [];
  const packs: { pack: Uint8Array; mask: number }[] = [];
  let next = skip;
  for (; next < entries.length && packs.length < packsMax; next++) {
    const { pack } = entries[next] as (typeof entries)[number];
    const mask = tiers.cold(pack).reduce((bits, index) => (bits | (1 << index)) >>> 0, 0);
    if (mask !== 0) packs.push({ pack: idBytes(pack), mask });
  }
  const { delayMs, pricePerGiB = '' } = tiers.terms;
  return {
    packs,
    next: next < entries.length ? next : 0,
    delayMs: BigInt(Math.round(delayMs)),
    pricePerGib: pricePerGiB,
  };
}
