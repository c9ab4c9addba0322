import { expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { encodePolicy } from '../../../../src/core/policy/policy-text.ts';
import type { GuardState, LeaseGuard } from '../../../../src/ports/lease-guard.ts';
import type { Clock } from '../../../../src/ports/runtime.ts';
import { LeaseKeeper } from '../../../../src/services/plan/lease-keeper.ts';
import { LeaseWatch, lapseAfterMs } from '../../../../src/services/plan/lease-watch.ts';
import { SeededRandom } from '../../../partitions/seeded-random.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import type { ManualClock } from '../../../support/manual-clock.ts';
import { applied, dataset, PlanCast, planOf, promotingSteps } from '../../../support/plan-cast.ts';

/** A quarter of the shortest lease below: who stops more slowly breaks the promise. */
const stopMs = 5000;

/** A steady clock that runs faster or slower than the time of the test. */
function drifting(clock: ManualClock, rate: number): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs() * rate,
    sleep: (ms, options) => clock.sleep(Math.ceil(ms / rate), options),
  };
}

/** Programs that run until their time is up, and take a while to stop. */
class SlowGuard implements LeaseGuard {
  readonly datasets = ['db'];
  readonly #clock: Clock;
  readonly #stopMs: number;
  #untilMs: number | undefined = 0;
  #isStarted = false;
  starts = 0;

  constructor(clock: Clock, stopMs: number) {
    this.#clock = clock;
    this.#stopMs = stopMs;
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** They are there, or on their way out. */
  get isUsed(): boolean {
    const endMs = (this.#untilMs ?? Number.POSITIVE_INFINITY) + this.#stopMs;
    if (this.#isStarted && this.nowMs() >= endMs) this.#isStarted = false;
    return this.#isStarted;
  }

  state(): GuardState {
    if (!this.isUsed) return 'stopped';
    return this.nowMs() < (this.#untilMs ?? Number.POSITIVE_INFINITY) ? 'running' : 'stopping';
  }

  problem(): undefined {
    return undefined;
  }

  async extend(_: string, untilMs: number): Promise<void> {
    if (this.state() === 'stopping') throw new HoldfastError('failed', 'they are being stopped');
    this.#untilMs = untilMs;
    if (this.isUsed || this.nowMs() >= untilMs) return;
    this.#isStarted = true;
    this.starts++;
  }

  async shorten(_: string, untilMs: number): Promise<void> {
    this.#untilMs = Math.min(this.#untilMs ?? untilMs, untilMs);
  }

  async release(): Promise<void> {
    this.#untilMs = undefined;
  }

  async stop(): Promise<void> {
    this.#untilMs = 0;
    this.#isStarted = false;
  }
}

type Rates = { readonly guard?: number; readonly voters?: number };

/** oslo holds the dataset under a lease; rome and cairo watch it. */
class Scene implements AsyncDisposable {
  readonly cast = new PlanCast();
  readonly guard: SlowGuard;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  keeper: LeaseKeeper;
  #keeping = new AbortController();
  plan: ReturnType<PlanCast['submit']> | undefined;

  constructor({ guard = 1, voters = 1 }: Rates = {}) {
    const { clock } = this.cast;
    this.guard = new SlowGuard(drifting(clock, guard), stopMs);
    this.keeper = this.#keep();
    const { signal } = this.#stop;
    for (const { control } of this.cast.actors) {
      const watch = new LeaseWatch({
        control,
        clock: drifting(clock, voters),
        log: collectingLog(),
      });
      this.#running.push(watch.run({ signal }));
    }
  }

  get holder() {
    return this.cast.actor('oslo');
  }

  get state(): string | undefined {
    const known = this.cast.log.state.incarnations.of(dataset);
    return known?.incarnation === 0 ? known.state : 'elsewhere';
  }

  #keep(): LeaseKeeper {
    const { control, log } = this.holder;
    const { clock } = this.cast;
    this.#keeping = new AbortController();
    const keeper = new LeaseKeeper({ control, guard: this.guard, clock, log });
    this.#running.push(keeper.run({ signal: this.#keeping.signal }));
    return keeper;
  }

  /** The holder's agent is started anew; its guard goes on. */
  restartKeeper(): void {
    this.#keeping.abort(new HoldfastError('interrupted', 'killed'));
    this.keeper = this.#keep();
  }

  /** A plan that is held until the site is lost names the dataset; the policy gives it a lease. */
  async begin(lease = '60s'): Promise<void> {
    await this.cast.start('cairo');
    const name = this.cast.submit(planOf(this.cast));
    this.cast.log.say({ kind: 'plan-decision', ...name, decision: 'cancel' });
    this.lease(lease);
    await this.pass(5000);
  }

  lease(lease: string | undefined): void {
    const { version } = this.cast.log.state.policy.current;
    const rule = { dataset, site: 'rome', ...(lease === undefined ? {} : { lease }) };
    const document = encodePolicy({ failover: { action: 'restore', standby: [rule] } });
    this.cast.log.say({ kind: 'policy', version: version + 1, base: version, document });
  }

  /** A plan takes the dataset over, or goes on trying. */
  promote(): void {
    const { plan } = this;
    if (plan === undefined) {
      const steps = promotingSteps();
      this.plan = this.cast.submit(planOf(this.cast, { name: 'take-over', steps }));
    } else if (this.cast.run(plan.plan).state === 'escalated') {
      this.cast.log.say({ kind: 'plan-decision', ...plan, decision: 'resume' });
    }
  }

  /** The holder neither says nor hears anything. */
  cut(): void {
    this.holder.control.isCut = true;
    this.holder.control.hold();
  }

  mend(): void {
    this.holder.control.isCut = false;
    this.holder.control.release();
  }

  /** Time passes; the two copies are never used at one time. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1000) {
      await this.cast.clock.advance(1000);
      if (this.state === 'live') continue;
      expect(this.guard.isUsed, `the old copy is used while it is ${this.state}`).toBe(false);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.mend();
    this.#stop.abort(new HoldfastError('interrupted', 'over'));
    this.#keeping.abort(new HoldfastError('interrupted', 'over'));
    await Promise.all(this.#running);
    await this.cast[Symbol.asyncDispose]();
  }
}

test('a copy under a lease runs for as long as the log takes its renewals', async () => {
  await using scene = new Scene();
  await scene.begin();
  await scene.pass(600_000);
  expect(scene.guard.state()).toBe('running');
  expect(scene.guard.starts).toBe(1);
  expect(scene.keeper.allows(dataset)).toBe(true);
  expect(applied(scene.cast, 'lease-lapse')).toEqual([]);
});

test('a holder that is cut off stops its copy, and a plan that waited then promotes another by itself', async () => {
  await using scene = new Scene();
  await scene.begin();
  scene.cut();
  scene.promote();
  await scene.pass(59_000);
  expect(scene.state).toBe('live');
  expect(scene.keeper.allows(dataset)).toBe(false);
  await scene.pass(30_000);
  expect(scene.state).toBe('elsewhere');
  await scene.cast.untilRun(scene.plan?.plan ?? ('' as never), 'done');
  expect(applied(scene.cast, 'isolate')).toEqual([]);
});

test('a holder that is cut off for a while goes on when nobody has taken its place', async () => {
  await using scene = new Scene();
  await scene.begin();
  scene.cut();
  await scene.pass(300_000);
  expect(scene.guard.state()).toBe('stopped');
  scene.mend();
  await scene.pass(20_000);
  expect(scene.guard.state()).toBe('running');
  expect(scene.state).toBe('live');
});

test('a plan does not take a copy from a holder that renews its lease: a person decides', async () => {
  await using scene = new Scene();
  await scene.begin();
  scene.promote();
  await scene.pass(120_000);
  const run = scene.cast.run(scene.plan?.plan ?? ('' as never));
  expect(run.state).toBe('escalated');
  expect(run.steps.get('promote')?.detail).toContain('renews its lease');
  expect(scene.guard.state()).toBe('running');
});

test('a holder whose renewals reach the log, and that never hears so, stops all the same', async () => {
  await using scene = new Scene();
  await scene.begin();
  scene.holder.control.hold();
  scene.promote();
  await scene.pass(62_000);
  expect(scene.guard.isUsed).toBe(false);
});

test('a lease that became shorter counts from the renewal on, also when nobody hears that the log has taken it', async () => {
  await using scene = new Scene();
  await scene.begin('90s');
  scene.cast.log.beforeAppend = (body) => {
    if (body.kind === 'lease' && body.forMs === 20_000) scene.holder.control.hold();
  };
  scene.lease('20s');
  scene.promote();
  await scene.pass(60_000);
  expect(scene.state).toBe('elsewhere');
});

test('a lease that the policy ends is given up, and the copy runs on unguarded', async () => {
  await using scene = new Scene();
  await scene.begin();
  scene.lease(undefined);
  await scene.pass(200_000);
  expect(scene.cast.log.state.leases.of(dataset)).toBeUndefined();
  expect(scene.guard.isUsed).toBe(true);
  expect(scene.keeper.allows(dataset)).toBe(true);
});

test('a restarted agent is allowed nothing before the log has taken a renewal of its own', async () => {
  await using scene = new Scene();
  await scene.begin();
  scene.cut();
  scene.restartKeeper();
  await scene.pass(2000);
  expect(scene.keeper.allows(dataset)).toBe(false);
  await scene.pass(80_000);
  expect(scene.guard.isUsed).toBe(false);
});

test('voters wait longer than holders run, though their clocks differ by a tenth', () => {
  for (const forMs of [20_000, 60_000, 86_400_000]) {
    expect(lapseAfterMs(forMs) / 1.05).toBeGreaterThan(forMs / 0.95);
  }
});

test.each(Array.from({ length: 6 }, (_, i) => i + 1))(
  'two copies are never used at one time, whatever is cut, restarted and changed (seed %i)',
  async (seed) => {
    const random = new SeededRandom(seed);
    const rate = (): number => 0.95 + random.next() / 10;
    await using scene = new Scene({ guard: rate(), voters: rate() });
    await scene.begin();
    const trouble = [
      () => scene.cut(),
      () => scene.mend(),
      () => scene.holder.control.hold(),
      () => scene.holder.control.release(),
      () => scene.restartKeeper(),
      () => scene.lease(random.pick(['20s', '90s'])),
      () => scene.promote(),
    ];
    for (let i = 0; i < 16; i++) {
      random.pick(trouble)();
      await scene.pass(random.between(1000, 40_000));
    }
    scene.mend();
    await scene.pass(120_000);
    const isServed = scene.guard.isUsed || scene.state !== 'live';
    expect(isServed, 'somebody serves at the end').toBe(true);
  },
);
