import { mapLimit } from '../../base/concurrency.ts';
import { secondMs } from '../../base/units.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { type AgentKey, idBytes, idOf } from '../../core/ids.ts';
import type { Member } from '../../core/protocol/roster.ts';
import { BackupsUnderWay } from '../backups-under-way.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { Serve } from '../serve.ts';
import type { Standing } from '../standing.ts';
import type { Sync } from '../sync.ts';

export type DrainWatchOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly peers: Pick<Peers, 'isReachable' | 'ask'>;
  readonly sync: Pick<Sync, 'withPeer'>;
  readonly standing: Standing;
};

/** What sources say of snapshots that are not signed yet. */
export type SourcesWord = {
  /** That may need what lies at those who leave, or may come to. */
  readonly backups: number;
  /** Names of sources that cannot be asked now, sorted. */
  readonly unasked: readonly string[];
};

const leavingMax = 256;
const lanes = 8;
const patienceMs = 15 * secondMs;

/** Asks all sources whether a backup that they have not signed yet needs hosts that are to leave. */
export class DrainWatch {
  readonly #options: DrainWatchOptions;
  readonly underWay: BackupsUnderWay;

  constructor(options: DrainWatchOptions) {
    this.#options = options;
    const { ledger, standing } = options;
    this.underWay = new BackupsUnderWay({ members: () => ledger.roster.members(), standing });
  }

  /** Lets others ask this host the same. */
  answer(serve: Pick<Serve, 'register'>): void {
    serve.register('underWay', async ({ leaving }) => {
      if (leaving.length > leavingMax || leaving.some((agent) => agent.length !== 32)) {
        throw new HoldfastError('bad-encoding', `at most ${leavingMax} agents of 32 bytes each`);
      }
      const agents = leaving.map((agent) => idOf<AgentKey>(agent));
      return { backups: this.underWay.needing(agents), isKnown: this.underWay.knows(agents) };
    });
  }

  /** Afterwards what any of them had signed before it answered is known here: nothing falls between the two. */
  async ask(leaving: readonly AgentKey[]): Promise<SourcesWord> {
    const { ledger, self, standing } = this.#options;
    const { underWay } = this;
    const others = ledger.roster
      .members()
      .filter(
        (one) => one.hasRole('source') && one.agentKey !== self && !standing.isLost(one.site),
      );
    const unasked: string[] = [];
    let backups = countOf(underWay.needing(leaving), underWay.knows(leaving));
    await mapLimit(others, lanes, async (member) => {
      const count = await this.#ask(member, leaving);
      if (count === undefined) unasked.push(member.name);
      else backups += count;
    });
    return { backups, unasked: unasked.sort() };
  }

  async #ask({ peerKey }: Member, leaving: readonly AgentKey[]): Promise<number | undefined> {
    const { peers, sync } = this.#options;
    if (!peers.isReachable(peerKey)) return undefined;
    const value = { leaving: leaving.map((agent) => idBytes(agent)) };
    const question = { case: 'underWay', value } as const;
    try {
      const answer = await peers.ask(peerKey, question, { timeoutMs: patienceMs });
      const count = countOf(answer.backups, answer.isKnown);
      if (count === 0) await sync.withPeer(peerKey);
      return count;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }
}

/** Who does not know yet that somebody leaves may place something there at any moment. */
function countOf(backups: number, isKnown: boolean): number {
  return Math.max(backups, isKnown ? 0 : 1);
}
