import type { AgentKey } from '../core/ids.ts';
import { codeInWords, layoutInWords } from '../core/policy/code-choice.ts';
import type { Durability } from '../core/policy/durability.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { Clock } from '../ports/runtime.ts';
import type { DatasetLines } from './dataset-lines.ts';
import type { DurabilityView } from './durability-view.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import type { OldCode } from './old-code.ts';
import type { Peers } from './peers.ts';

export type StatusOptions = {
  readonly ledger: Ledger;
  readonly lines: DatasetLines;
  readonly self: AgentKey;
  readonly peers: Peers;
  readonly view: DurabilityView;
  readonly clock: Clock;
  /** Nobody can open it any more. */
  readonly isShredded?: (record: ManifestRecord) => boolean;
};

export type DatasetState = {
  readonly dataset: DatasetRecord;
  readonly snapshots: number;
  /** Operators have destroyed the keys of all of them: what is gone was meant to go. */
  readonly isShredded: boolean;
  /**
   * The newest committed snapshot, judged by the peers that are reachable now; where there is none, the newest
   * that can be restored all the same.
   */
  readonly newest:
    | {
        readonly record: ManifestRecord;
        readonly now: Durability;
        readonly state: Durability['state'];
        /** By the word of all members, also of those that are away: what it was laid out to outlive. */
        readonly words: string;
        /** Undefined: nothing of it would gain by the code of today. */
        readonly oldCode: OldCode | undefined;
      }
    | undefined;
  /** A newer one that is not committed yet. */
  readonly pending:
    | {
        readonly record: ManifestRecord;
        readonly durability: Durability;
        readonly missing: readonly string[];
      }
    | undefined;
};

/** How far back an uncommitted head is followed to the newest committed snapshot. */
const lookBackMax = 64;

/** Can each dataset be restored now, from where, how old is it, how many more sites may fail. */
export class Status {
  readonly #options: StatusOptions;

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  /** True for this agent, and for members that are connected. */
  isReachable(agent: AgentKey): boolean {
    const { ledger, self, peers } = this.#options;
    if (agent === self) return true;
    const member = ledger.roster.member(agent);
    return member !== undefined && peers.isReachable(member.peerKey);
  }

  words(): string {
    return codeInWords(this.#options.view.code());
  }

  async datasets(): Promise<DatasetState[]> {
    const states: DatasetState[] = [];
    for (const dataset of this.#options.lines.all()) {
      states.push(await this.#dataset(dataset));
    }
    return states;
  }

  async #dataset(dataset: DatasetRecord): Promise<DatasetState> {
    const { lines, view, isShredded = () => false } = this.#options;
    const records = lines.line(dataset.id);
    let pending: DatasetState['pending'];
    let best: { record: ManifestRecord; durability: Durability } | undefined;
    const usable = records.filter((record) => !isShredded(record));
    for (const record of usable.slice(-lookBackMax).reverse()) {
      const durability = await view.assess(record);
      const isCommitted = durability.state === 'committed';
      if (isCommitted || (durability.isRecoverable && best === undefined)) {
        best = { record, durability };
      }
      if (isCommitted) break;
      pending ??= { record, durability, missing: await view.missingSites(record) };
    }
    const newest =
      best === undefined ? undefined : await this.#newest(best.record, best.durability);
    const isAllShredded = records.length > 0 && usable.length === 0;
    return { dataset, snapshots: records.length, isShredded: isAllShredded, newest, pending };
  }

  async #newest(
    record: ManifestRecord,
    { state, sitesMayFail }: Durability,
  ): Promise<NonNullable<DatasetState['newest']>> {
    const { view } = this.#options;
    const now = await view.assess(record, (agent) => this.isReachable(agent));
    const { stored, hot } = await view.expansion(record);
    const words = layoutInWords(sitesMayFail, stored, hot);
    return { record, now, state, words, oldCode: await view.oldCode(record) };
  }

  /** Things that a person should do something about, each with the next command. */
  warnings(): string[] {
    const { ledger, self, peers, view } = this.#options;
    const warnings: string[] = [];
    for (const member of ledger.roster.members()) {
      if (member.agentKey === self || peers.isReachable(member.peerKey)) continue;
      warnings.push(
        `${member.name} (site ${member.site}) is not reachable: holdfast peer show ${member.name}`,
      );
    }
    const code = view.code();
    const wanted = ledger.roster.policy.surviveSites;
    if (code.survives < wanted) {
      warnings.push(
        `the policy asks to survive the loss of ${wanted} sites, ${view.storageSites().length} sites with storage allow ${code.survives}: holdfast invite --site NAME --region NAME`,
      );
    }
    return warnings;
  }
}
