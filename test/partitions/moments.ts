import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlanReport } from '../../src/agent/plan-types.ts';
import { decodeMemory } from '../../src/services/plan/step-record.ts';
import { pause } from '../support/cluster.ts';
import type { Fleet } from './fleet.ts';
import { fleetHosts } from './hosts.ts';
import { type Moment, type StepName, stepNames } from './scheme.ts';
import { answered, type Watch } from './watch.ts';

const lookMs = 8;
/** SHA-256, "HFRC" and a version, the size of the name: then the name, then the record. */
const nameSizeAt = 32 + 5;
/** Of five voters. */
const majority = 3;

export type PlanPlace = {
  readonly hash: string;
  readonly dataset: string;
  readonly target: string;
};

/**
 * Tells where a plan stands to within some milliseconds, so that kills hit the moment they are meant for: by
 * what the target has written down of each step before and after it acts, by the voters' votes, and, when a
 * step has ended, by asking whether the log says so.
 */
export class Moments implements Disposable {
  readonly #fleet: Fleet;
  readonly #watch: Watch;
  readonly #place: PlanPlace;
  readonly #logged = new Set<StepName>();
  #isAsking = false;
  #isOver = false;

  constructor(fleet: Fleet, watch: Watch, place: PlanPlace) {
    this.#fleet = fleet;
    this.#watch = watch;
    this.#place = place;
  }

  /** The moment of this step, if it is at one. Reads the disk: true when it returns. */
  now(step: StepName): Moment | undefined {
    if (this.#logged.has(step)) return undefined;
    if (step === 'promote') {
      const votes = this.#votes();
      if (votes >= majority) return 'after';
      if (votes > 0) return 'during';
    } else {
      const state = this.#stepState(step);
      if (state === 'during' || state === 'after') return state;
      if (state === 'failed') return undefined;
    }
    const before = stepNames[stepNames.indexOf(step) - 1];
    return before === undefined || this.#logged.has(before) ? 'before' : undefined;
  }

  /** Resolves at this moment of the step, or never: see `isOver`. */
  async until(step: StepName, moment: Moment): Promise<boolean> {
    while (!this.#isOver) {
      if (this.now(step) === moment) return true;
      if (this.#mayHaveEnded()) this.#ask();
      await pause(lookMs);
    }
    return false;
  }

  /** A step that the disk knows as done, and that nobody has heard the log say so of. */
  #mayHaveEnded(): boolean {
    return stepNames.some((step) => this.now(step) === 'after');
  }

  /** Whoever leads knows first. */
  #ask(): void {
    const awake = this.#fleet.awake.map(({ name }) => name);
    const host = awake.find((name) => name === this.#watch.leader) ?? awake[0];
    if (this.#isAsking || host === undefined) return;
    this.#isAsking = true;
    void answered(this.#fleet.api(host).plan(this.#place.hash), 300)
      .then((report) => this.hear(report))
      .catch(() => undefined)
      .finally(() => {
        this.#isAsking = false;
      });
  }

  hear({ steps }: PlanReport): void {
    for (const { id, state } of steps) {
      if (state === 'done') this.#logged.add(id as StepName);
    }
  }

  #stepState(step: StepName): 'during' | 'after' | 'failed' | undefined {
    const { target, hash } = this.#place;
    const directory = join(this.#fleet.state(target), 'plans', 'steps');
    const bytes = bytesOf(join(directory, `${hash}-1-${step}.rec`));
    if (bytes === undefined) return undefined;
    const { outcome } = decodeMemory(bytes.subarray(nameSizeAt + 1 + (bytes[nameSizeAt] ?? 0)));
    if (outcome === undefined) return 'during';
    return outcome.state === 'done' ? 'after' : 'failed';
  }

  /** Of the first promotion of the dataset. */
  #votes(): number {
    const name = `1-${this.#place.dataset}-1.rec`;
    const paths = fleetHosts.map((host) =>
      join(this.#fleet.state(host.name), 'plans', 'votes', name),
    );
    return paths.filter((path) => existsSync(path)).length;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
  }
}

function bytesOf(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
