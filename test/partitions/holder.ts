import type { AgentKey, DatasetId } from '../../src/core/ids.ts';
import { pause } from '../support/cluster.ts';
import type { Fleet } from './fleet.ts';
import { fleetHosts } from './hosts.ts';
import { insist } from './insist.ts';
import type { Network } from './network.ts';
import type { Operator } from './operator.ts';
import { isolation } from './partition.ts';
import type { Scheme } from './scheme.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Trouble } from './trouble.ts';
import { answered, type Watch } from './watch.ts';
import { Writer } from './writer.ts';

export type HolderTools = {
  readonly fleet: Fleet;
  readonly watch: Watch;
  readonly operator: Operator;
  readonly network: Network;
  readonly trouble: Trouble;
  readonly scheme: Scheme;
  readonly dataset: string;
  readonly source: string;
  readonly random: SeededRandom;
};

/** How soon a host that is well again must know that it is off. */
const newsMaxMs = 20_000;
/** A backup that fails amid what kills have left is made again for so long. */
const lastBackupMaxMs = 180_000;

/**
 * The host that holds the dataset when a round begins: it writes all the time, comes to be off in the way that
 * the scheme says, comes back, and must not write over the new line.
 */
export class Holder {
  readonly #tools: HolderTools;
  readonly #name: string;
  readonly #writer: Writer;
  #key = '';
  #id = '';
  /** By the wall clock, as snapshots are dated: when evidence was first on its way, and when it was in the log. */
  #evidenceMs: number | undefined;
  #offMs: number | undefined;
  #backMs: number | undefined;

  constructor(tools: HolderTools) {
    this.#tools = tools;
    this.#name = tools.scheme.from.name;
    const { fleet, dataset, source } = tools;
    this.#writer = new Writer(fleet, { host: this.#name, dataset, source });
  }

  get counts(): { written: number; refused: number; failed: number; why: string[] } {
    const failures = this.#writer.writes.filter(({ outcome }) => outcome === 'failed');
    const why = [...new Set(failures.map(({ reason }) => reason))];
    const count = (outcome: string): number =>
      this.#writer.writes.filter((write) => write.outcome === outcome).length;
    return { written: count('written'), refused: count('refused'), failed: count('failed'), why };
  }

  async meet(): Promise<void> {
    this.#key = (await this.#tools.fleet.api(this.#name).identity()).agentKey;
  }

  beginWriting(): AsyncDisposable {
    this.#writer.start();
    return this.#writer;
  }

  async datasetId(): Promise<string> {
    const { fleet, dataset } = this.#tools;
    const datasets = await answered(fleet.api(this.#someoneElse()).datasets());
    const id = datasets.find((one) => one.name === dataset)?.id;
    if (id === undefined) throw new Error(`${dataset} is not known there`);
    this.#id = id;
    return id;
  }

  #someoneElse(): string {
    const others = this.#tools.fleet.awake.filter(({ name }) => name !== this.#name);
    return this.#tools.random.pick(others.length > 0 ? others : fleetHosts).name;
  }

  /** Ends its right to write, at some moment of the trouble, and brings it back if it is to be back early. */
  async switchOff(problems: string[]): Promise<void> {
    const { scheme, trouble } = this.#tools;
    await pause(scheme.offAfterMs);
    if (scheme.way === 'nothing') return;
    if (scheme.way !== 'demote') await this.#takeAway();
    const say = scheme.way === 'demote' ? () => this.#demote() : () => this.#isolate();
    this.#evidenceMs = Date.now();
    const problem = await insist(say);
    this.#offMs = Date.now();
    trouble.tell(`${scheme.way}: ${this.#name} is off`);
    if (problem !== undefined) problems.push(`${scheme.way}: not in time: ${problem}`);
    if (!scheme.isBackEarly) return;
    await pause(scheme.checkMs);
    await this.#comeBack();
  }

  async #demote(): Promise<boolean> {
    const { fleet, dataset } = this.#tools;
    const { outcome, reason = '' } = await fleet.api(this.#name).demote({ dataset });
    return outcome === 'applied' || /is off|is contested|is current|only the holder/.test(reason);
  }

  async #isolate(): Promise<boolean> {
    const { operator, scheme } = this.#tools;
    const body = {
      kind: 'isolate',
      agent: this.#key as AgentKey,
      dataset: this.#id as DatasetId,
      reason: `a test: ${scheme.way}`,
    } as const;
    const { outcome, reason = '' } = await operator.submit(this.#someoneElse(), body);
    return outcome === 'applied' || /attested already/.test(reason);
  }

  /** Operators see that it is off before they say so. */
  async #takeAway(): Promise<void> {
    const { fleet, network, scheme, trouble, watch } = this.#tools;
    if (scheme.way === 'off-and-back') {
      trouble.keptOff.add(this.#name);
      await trouble.kill(this.#name);
    }
    if (scheme.way === 'cut-and-back') {
      network.cut('holder', isolation(scheme.from.index));
    }
    if (scheme.way === 'paused-and-back') {
      fleet.pause(this.#name);
      watch.forget(this.#name);
    }
  }

  async #comeBack(): Promise<void> {
    const { fleet, network, scheme, trouble } = this.#tools;
    if (this.#backMs !== undefined || scheme.way === 'nothing' || scheme.way === 'demote') return;
    trouble.keptOff.delete(this.#name);
    network.cut('holder', []);
    this.#backMs = Date.now();
    fleet.resume(this.#name);
    await trouble.start(this.#name);
    trouble.tell(`${this.#name} is back`);
  }

  /** All is well again. @returns what must not be, in words */
  async checkEnd(isPromoted: boolean): Promise<string[]> {
    const problems: string[] = [];
    const { scheme, watch, dataset, trouble } = this.#tools;
    const isBackNow = this.#backMs === undefined && scheme.way.endsWith('-and-back');
    await this.#comeBack();
    if (isBackNow) {
      // What it does in its first moments, before anybody has told it.
      const first = await this.#writer.write();
      trouble.tell(`back again, its first backup was ${first.outcome}: ${first.reason}`);
      // Where it was cut off, its connections are dead: for a while it is cut off still.
      const mustKnow = scheme.way !== 'cut-and-back';
      if (first.outcome === 'written' && mustKnow) {
        problems.push('back again, it wrote over the new line');
      }
    }
    const certifiedMs = watch.certifiedMs(dataset);
    if (certifiedMs !== undefined && certifiedMs < (this.#evidenceMs ?? Number.POSITIVE_INFINITY)) {
      problems.push('promoted although nothing proved that the old copy was off');
    }
    if (isPromoted !== (scheme.way !== 'nothing')) {
      problems.push(`way ${scheme.way}, and promoted: ${isPromoted}`);
    }
    problems.push(...(await this.#checkLast()), ...this.#checkWrites(), ...this.#checkOverlaps());
    problems.push(...(await this.#checkSnapshots()), ...(await this.#checkClaims(isPromoted)));
    return problems;
  }

  /** It can write, or is refused, as everybody knows by now. */
  async #checkLast(): Promise<string[]> {
    const { scheme } = this.#tools;
    const wanted = scheme.way === 'nothing' ? 'written' : 'refused';
    const startMs = performance.now();
    for (;;) {
      const { outcome, reason } = await this.#writer.write();
      if (outcome === wanted) return [];
      const isFinal =
        outcome === 'refused' || (outcome === 'written' && scheme.way !== 'cut-and-back');
      const isLate =
        performance.now() - startMs > (outcome === 'written' ? newsMaxMs : lastBackupMaxMs);
      if (isFinal || isLate) {
        return [`the last backup of ${this.#name} was ${outcome}: ${reason}`];
      }
      await pause(500);
    }
  }

  /** Once it has said that it is off, no backup that it begins may end well. */
  #checkWrites(): string[] {
    if (this.#tools.scheme.way !== 'demote') return [];
    const { writes } = this.#writer;
    const late = writes.filter(
      ({ beganMs, outcome }) =>
        beganMs > (this.#offMs ?? Number.POSITIVE_INFINITY) && outcome === 'written',
    );
    return late.map(
      ({ beganMs }) => `backed up ${beganMs - (this.#offMs ?? 0)} ms after it was off`,
    );
  }

  #checkOverlaps(): string[] {
    const { watch, dataset, trouble, scheme } = this.#tools;
    const told = watch.overlaps
      .filter((overlap) => overlap.dataset === dataset)
      .map(({ agents }) => `${agents.join(' and ')} both held ${dataset} live`);
    // The word of operators stands against that of a host which has not heard of it yet.
    if (scheme.way.endsWith('-and-back')) for (const one of told) trouble.tell(one);
    return scheme.way.endsWith('-and-back') ? [] : told;
  }

  /** What is dated after the new copy was known to be live was written over the new line. */
  async #checkSnapshots(): Promise<string[]> {
    const { fleet, watch, dataset, scheme, trouble } = this.#tools;
    const liveMs = watch.certifiedMs(dataset);
    if (liveMs === undefined) return [];
    const snapshots = await answered(fleet.api(this.#name).snapshots({ dataset }), 20_000);
    const late = snapshots.filter(({ timeMs }) => timeMs > liveMs);
    const told = late.map(
      ({ shortId, timeMs }) =>
        `snapshot ${shortId} is ${timeMs - liveMs} ms younger than the new live copy`,
    );
    // Who was cut off could not know; operators have attested that its copy did not count.
    const couldNotKnow = late.every(({ timeMs }) => timeMs < (this.#backMs ?? 0) + newsMaxMs);
    if (scheme.way !== 'cut-and-back' || !couldNotKnow) return told;
    for (const one of told) trouble.tell(one);
    return [];
  }

  /** Whoever may write by its own account is the one live copy; one that has just started hears of it soon. */
  async #checkClaims(isPromoted: boolean): Promise<string[]> {
    const { scheme } = this.#tools;
    const live = isPromoted ? scheme.to.name : scheme.way === 'nothing' ? this.#name : '';
    const endMs = performance.now() + newsMaxMs;
    for (;;) {
      const named = await this.#claims();
      if (named === live) return [];
      if (named !== '' || performance.now() > endMs) {
        return [`live by their own account: ${named}; wanted: ${live}`];
      }
      await pause(500);
    }
  }

  async #claims(): Promise<string> {
    const { fleet, dataset } = this.#tools;
    const claims = await Promise.all(
      fleetHosts.map(async ({ name }) => {
        const datasets = await answered(fleet.api(name).datasets(), 20_000);
        return datasets.find((one) => one.name === dataset)?.here.mayWrite === true ? [name] : [];
      }),
    );
    return claims.flat().join(' ');
  }
}
