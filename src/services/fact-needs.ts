import { factHash } from '../core/format/facts.ts';
import type { Statement } from '../core/format/statement.ts';
import { type FactHash, idBytes, idOf, type PeerKey } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Cancel } from '../ports/runtime.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Ledger } from './ledger.ts';
import type { Peers } from './peers.ts';

/** Facts asked of one peer in one round; the next round goes on behind them. */
const factsPerRoundMax = 1200;

/** Facts that accepted statements name and that may be missing here. */
export class FactNeeds {
  readonly #peers: Peers;
  readonly #facts: FactStore;
  /** In the order in which they are asked for: what a peer did not have moves to the end. */
  readonly #needed: Set<FactHash>;

  constructor({ ledger, peers, facts }: { ledger: Ledger; peers: Peers; facts: FactStore }) {
    this.#peers = peers;
    this.#facts = facts;
    const statements = [
      ...ledger.manifests().map((record) => record.statement),
      ...ledger.allReceipts().map((record) => record.statement),
    ];
    this.#needed = new Set(statements.flatMap(factsOf));
    ledger.onStatement(({ statement }) => {
      for (const hash of factsOf(statement)) this.#needed.add(hash);
    });
  }

  /** Asks a peer for what is missing. @returns how many it had. @throws HoldfastError as Peers.ask */
  async pullFrom(peer: PeerKey, cancel: Cancel): Promise<number> {
    const missing = await this.#missing();
    let count = 0;
    for (let i = 0; i < missing.length; i += limits.factsPerRequest) {
      count += await this.#pullSome(peer, missing.slice(i, i + limits.factsPerRequest), cancel);
    }
    return count;
  }

  /** Asks a peer for some facts in particular, as far as they are missing. @throws as `pullFrom` */
  async pullThese(peer: PeerKey, hashes: readonly FactHash[], cancel: Cancel): Promise<void> {
    const missing: FactHash[] = [];
    for (const hash of hashes) if (!(await this.#facts.has(idBytes(hash)))) missing.push(hash);
    for (let i = 0; i < missing.length; i += limits.factsPerRequest) {
      await this.#pullSome(peer, missing.slice(i, i + limits.factsPerRequest), cancel);
    }
  }

  async #missing(): Promise<FactHash[]> {
    const missing: FactHash[] = [];
    for (const hash of [...this.#needed]) {
      if (missing.length === factsPerRoundMax) break;
      const isHere = await this.#facts.has(idBytes(hash));
      this.#needed.delete(hash);
      if (isHere) continue;
      this.#needed.add(hash);
      missing.push(hash);
    }
    return missing;
  }

  async #pullSome(peer: PeerKey, asked: readonly FactHash[], cancel: Cancel): Promise<number> {
    const hashes = asked.map((hash) => idBytes(hash));
    const answer = await this.#peers.ask(peer, { case: 'facts', value: { hashes } }, cancel);
    let count = 0;
    for (const view of answer.facts.slice(0, asked.length)) {
      const fact = view.slice();
      const hash = idOf<FactHash>(factHash(fact));
      if (fact.length > limits.factSizeMax || !asked.includes(hash)) continue;
      await this.#facts.put(idBytes(hash), fact);
      if (this.#needed.delete(hash)) count++;
    }
    return count;
  }
}

function factsOf({ body }: Statement): readonly FactHash[] {
  if (body.kind === 'manifest') return body.packSegments.map(({ hash }) => hash);
  return body.kind === 'receipt' ? body.holdings : [];
}
