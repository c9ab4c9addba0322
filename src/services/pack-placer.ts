import { receiptStream } from '../core/format/statement.ts';
import type { AgentKey, PeerKey } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Code } from '../core/policy/code-choice.ts';
import type { Assignment, Candidate } from '../core/policy/placement.ts';
import { placeCopies, placeShards } from '../core/policy/placement.ts';
import type { Ledger } from './ledger.ts';
import type { WrittenPack } from './pack-writer.ts';
import type { Peers } from './peers.ts';
import { type DatasetOf, storageMembers } from './residency.ts';
import type { Standing } from './standing.ts';

export type PackPlacerOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly peers: Peers;
  /** What is placed: the policy may keep it out of some regions. */
  readonly of: DatasetOf;
  /** What this agent may still store; peers say it of themselves. */
  readonly ownFreeBytes: () => number;
  readonly standing?: Standing;
};

/** Decides which members get which shards of a pack, from who they are and who is reachable now. */
export class PackPlacer {
  readonly #options: PackPlacerOptions;

  constructor(options: PackPlacerOptions) {
    this.#options = options;
  }

  assign(written: WrittenPack, code: Code): readonly Assignment[] {
    const candidates = this.#candidates();
    const seed = written.encoded.roots[0] as Uint8Array;
    if (written.entry.type === 'metadata') {
      return placeCopies({ seed, candidates, copiesMax: limits.metadataCopiesMax }).assignments;
    }
    const { k, m, sites } = code;
    const indexes = k === 1 ? new Array<number>(sites).fill(0) : [...new Array(k + m).keys()];
    return placeShards({ seed, candidates, indexes }).assignments;
  }

  /** It is there, and its receipts count: nobody believes a member that has signed two histories any more. */
  #canSign(agent: AgentKey, peer: PeerKey): boolean {
    const { ledger, peers, self } = this.#options;
    if (ledger.isFrozen(agent, receiptStream)) return false;
    return agent === self || peers.isReachable(peer);
  }

  #candidates(): Candidate[] {
    const { ledger, peers, self, of, ownFreeBytes, standing } = this.#options;
    return storageMembers(ledger.roster, of, standing).map((member) => ({
      agent: member.agentKey,
      site: member.site,
      region: member.region,
      weight: member.agentKey === self ? ownFreeBytes() : (peers.freeBytes(member.peerKey) ?? 1),
      isReachable: this.#canSign(member.agentKey, member.peerKey),
    }));
  }
}
