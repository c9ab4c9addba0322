import { secondMs } from '../../base/units.ts';
import type { PackEntry } from '../../core/format/facts.ts';
import { shardSizeOf } from '../../core/format/shard.ts';
import { codeOf } from '../../core/errors.ts';
import { idBytes, idOf, type PackId, type PeerKey } from '../../core/ids.ts';
import { type ColdEstimate, parsePrice } from '../../core/policy/cold-estimate.ts';
import type { Member } from '../../core/protocol/roster.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { ManifestRecord } from '../ledger.ts';
import type { PackLocation } from '../pack-reader.ts';
import type { Peers } from '../peers.ts';

/** What one peer has in its cold store of a snapshot. */
export type ColdPeer = {
  readonly member: Pick<Member, 'peerKey' | 'name'>;
  /** Bit i: shard i. */
  readonly masks: ReadonlyMap<PackId, number>;
  readonly delayMs: number;
  /** As its configuration says; '': nothing. */
  readonly price: string;
};

const askTimeoutMs = 5 * secondMs;
/** Answers of one peer: what it says beyond them is not heard. */
const answersMax = 64;
/** Packs that are read at the same time, as far as the wait for each is concerned. */
const readsAtOnce = 4;

/** Where the shards of one snapshot are cold, as those said who answered. */
export class ColdView {
  readonly #peers: ReadonlyMap<PeerKey, ColdPeer>;

  constructor(peers: readonly ColdPeer[]) {
    this.#peers = new Map(peers.map((peer) => [peer.member.peerKey, peer]));
  }

  /** Asks all members that are reached. Who does not answer counts as having everything warm. */
  static async ask(
    peers: Pick<Peers, 'ask' | 'reachable'>,
    record: Pick<ManifestRecord, 'hash'>,
    options: Cancel = {},
  ): Promise<ColdView> {
    const storing = peers.reachable().filter((member) => member.hasRole('storage'));
    const asked = storing.map((member) => askOne(peers, member, record, options));
    const all = await Promise.all(asked.map((one) => one.catch(unanswered)));
    options.signal?.throwIfAborted();
    return new ColdView(all.filter((one) => one !== undefined));
  }

  isCold(pack: PackId, { peer, index }: { peer: PeerKey | 'self'; index: number }): boolean {
    if (peer === 'self') return false;
    return (((this.#peers.get(peer)?.masks.get(pack) ?? 0) >>> index) & 1) === 1;
  }

  /** Undefined: nothing must be read from a cold store, as far as these holders can be reached. */
  estimate(
    locations: ReadonlyMap<PackId, PackLocation>,
    isReachable: (peer: PeerKey) => boolean,
  ): ColdEstimate | undefined {
    const used = new Map<PeerKey, { packs: number; bytes: number }>();
    let packs = 0;
    for (const { entry, holders } of locations.values()) {
      const there = holders.filter(({ peer }) => peer === 'self' || isReachable(peer));
      const peers = this.#neededOf(entry, there);
      if (peers.length > 0) packs++;
      for (const peer of peers) {
        const sum = used.get(peer) ?? { packs: 0, bytes: 0 };
        sum.packs++;
        sum.bytes += shardSizeOf({ k: entry.k, packSize: entry.size });
        used.set(peer, sum);
      }
    }
    return packs === 0 ? undefined : this.#sum(used, packs, locations.size);
  }

  /** Whose cold stores must give a shard, since too few are warm. */
  #neededOf(entry: PackEntry, holders: PackLocation['holders']): PeerKey[] {
    const isWarm = (one: (typeof holders)[number]): boolean => !this.isCold(entry.pack, one);
    const had = new Set(holders.filter(isWarm).map(({ index }) => index));
    const needed: PeerKey[] = [];
    for (const { peer, index } of holders) {
      if (had.size >= entry.k) break;
      if (had.has(index) || peer === 'self') continue;
      had.add(index);
      needed.push(peer);
    }
    return needed;
  }

  #sum(
    used: ReadonlyMap<PeerKey, { packs: number; bytes: number }>,
    packs: number,
    packsInAll: number,
  ): ColdEstimate {
    const costs = new Map<string, number>();
    const unpriced: string[] = [];
    const hosts: string[] = [];
    let [bytes, delayMs] = [0, 0];
    for (const [key, sum] of used) {
      const peer = this.#peers.get(key);
      if (peer === undefined) continue;
      bytes += sum.bytes;
      delayMs = Math.max(delayMs, peer.delayMs * Math.ceil(sum.packs / readsAtOnce));
      hosts.push(peer.member.name);
      const price = parsePrice(peer.price);
      if (price === undefined) unpriced.push(peer.member.name);
      else {
        const cost = price.amount * (sum.bytes / 2 ** 30);
        costs.set(price.currency, (costs.get(price.currency) ?? 0) + cost);
      }
    }
    const sums = [...costs].map(([currency, amount]) => ({ currency, amount }));
    return { packs, packsInAll, bytes, delayMs, costs: sums, unpriced, hosts: hosts.sort() };
  }
}

function unanswered(error: unknown): undefined {
  if (codeOf(error) === undefined) throw error;
}

async function askOne(
  peers: Pick<Peers, 'ask'>,
  member: Member,
  { hash }: Pick<ManifestRecord, 'hash'>,
  options: Cancel,
): Promise<ColdPeer> {
  const masks = new Map<PackId, number>();
  let [skip, delayMs, price] = [0, 0, ''];
  for (let answers = 0; answers < answersMax; answers++) {
    const question = { case: 'cold', value: { manifest: idBytes(hash), skip } } as const;
    const answer = await peers.ask(member.peerKey, question, {
      ...options,
      timeoutMs: askTimeoutMs,
    });
    for (const { pack, mask } of answer.packs) {
      if (pack.length === 32) masks.set(idOf<PackId>(pack), mask);
    }
    delayMs = Number(answer.delayMs);
    price = answer.pricePerGib;
    // A peer that sends us round in circles has said enough.
    if (answer.next <= skip) break;
    skip = answer.next;
  }
  return { member, masks, delayMs, price };
}
