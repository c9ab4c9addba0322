import { factHash } from '../core/format/facts.ts';
import { type AgentKey, type FactHash, idBytes, idOf, type PeerKey } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Cancel } from '../ports/runtime.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Ledger } from './ledger.ts';
import type { Peers } from './peers.ts';
import type { ManifestRecord, ReceiptRecord } from './statement-index.ts';
import type { StatementBudget } from './statement-budget.ts';

/** Facts asked of one peer in one round; the next round goes on behind them. */
const factsPerRoundMax = 1200;
/** Of these, what one writer gets where others wait as well: nobody holds up the rest. */
const writerShareMin = 2 * limits.factsPerRequest;

type Needing = ManifestRecord | ReceiptRecord;

export type FactNeedsOptions = {
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly facts: FactStore;
  readonly budget?: Pick<StatementBudget, 'hasFactRoom' | 'charge'> | undefined;
};

/** Facts that accepted statements name and that may be missing here. */
export class FactNeeds {
  readonly #options: FactNeedsOptions;
  /** By writer; in the order in which they are looked at: what a peer did not have moves to the end. */
  readonly #needing = new Map<AgentKey, Set<Needing>>();

  constructor(options: FactNeedsOptions) {
    this.#options = options;
    const { ledger } = options;
    for (const record of [...ledger.manifests(), ...ledger.allReceipts()]) this.#add(record);
    ledger.onStatement(({ statement, hash }) => {
      const { body, writer } = statement;
      if (body.kind === 'manifest') this.#add(ledger.manifest(hash));
      if (body.kind !== 'receipt') return;
      this.#add(ledger.receipts(body.manifest).find(({ agent }) => agent === writer));
    });
  }

  /** Asks a peer for what is missing. @returns how many it had. @throws HoldfastError as Peers.ask */
  async pullFrom(peer: PeerKey, cancel: Cancel): Promise<number> {
    const missing = await this.#missing();
    let count = 0;
    for (const [writer, hashes] of missing) {
      count += await this.#pullAll(peer, writer, hashes, cancel);
    }
    return count;
  }

  /** Asks a peer for some facts in particular, as far as they are missing. @throws as `pullFrom` */
  async pullThese(
    peer: PeerKey,
    { writer, hashes }: { writer: AgentKey | undefined; hashes: readonly FactHash[] },
    cancel: Cancel,
  ): Promise<void> {
    const { facts } = this.#options;
    const missing: FactHash[] = [];
    for (const hash of hashes) if (!(await facts.has(idBytes(hash)))) missing.push(hash);
    await this.#pullAll(peer, writer, missing, cancel);
  }

  #add(record: Needing | undefined): void {
    if (record === undefined) return;
    const { writer } = record.statement;
    const needing = this.#needing.get(writer) ?? new Set();
    needing.add(record);
    this.#needing.set(writer, needing);
  }

  /** What is asked for in one round, by the writers of the statements that name it. */
  async #missing(): Promise<Map<AgentKey, FactHash[]>> {
    const missing = new Map<AgentKey, FactHash[]>();
    // Empty sets stay: a round with another peer may have taken out what it is looking at, and puts it back.
    const waiting = [...this.#needing].filter(([, needing]) => needing.size > 0);
    const share = Math.max(writerShareMin, Math.floor(factsPerRoundMax / waiting.length));
    for (const [writer, needing] of waiting) {
      missing.set(writer, await this.#missingOf(needing, share));
    }
    return missing;
  }

  async #missingOf(needing: Set<Needing>, most: number): Promise<FactHash[]> {
    const missing = new Set<FactHash>();
    for (const record of [...needing]) {
      if (missing.size >= most) break;
      needing.delete(record);
      const lacking = await this.#lacking(record);
      if (lacking.length > 0) needing.add(record);
      for (const hash of lacking.slice(0, most - missing.size)) missing.add(hash);
    }
    return [...missing];
  }

  async #lacking(record: Needing): Promise<FactHash[]> {
    const { ledger, facts } = this.#options;
    const named =
      'manifest' in record
        ? (await ledger.packSegments(record)).map(({ hash }) => hash)
        : await ledger.holdings(record);
    const lacking: FactHash[] = [];
    for (const hash of named) if (!(await facts.has(idBytes(hash)))) lacking.push(hash);
    return lacking;
  }

  async #pullAll(
    peer: PeerKey,
    writer: AgentKey | undefined,
    hashes: readonly FactHash[],
    cancel: Cancel,
  ): Promise<number> {
    let count = 0;
    for (let i = 0; i < hashes.length; i += limits.factsPerRequest) {
      const { budget } = this.#options;
      if (writer !== undefined && budget?.hasFactRoom(writer) === false) break;
      const some = hashes.slice(i, i + limits.factsPerRequest);
      count += await this.#pullSome(peer, writer, some, cancel);
    }
    return count;
  }

  async #pullSome(
    peer: PeerKey,
    writer: AgentKey | undefined,
    asked: readonly FactHash[],
    cancel: Cancel,
  ): Promise<number> {
    const { peers, facts, budget } = this.#options;
    const hashes = asked.map((hash) => idBytes(hash));
    const answer = await peers.ask(peer, { case: 'facts', value: { hashes } }, cancel);
    let count = 0;
    for (const view of answer.facts.slice(0, asked.length)) {
      const fact = view.slice();
      const hash = idOf<FactHash>(factHash(fact));
      if (fact.length > limits.factSizeMax || !asked.includes(hash)) continue;
      await facts.put(idBytes(hash), fact);
      if (writer !== undefined) budget?.charge(writer, { statements: 0, bytes: fact.length });
      count++;
    }
    return count;
  }
}
