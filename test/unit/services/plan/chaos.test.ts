import { expect, test } from 'vitest';
import { applied, dataset, PlanCast, planOf, promotingSteps } from '../../../support/plan-cast.ts';

/** A generator of numbers below `max`; the same seed gives the same ones. */
function random(seed: number): (max: number) => number {
  let state = seed * 2_654_435_761;
  return (max) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * max);
  };
}

/** Leaders come and go, hosts are killed and restarted, lines are cut, while a plan is carried out. */
async function runSeed(seed: number): Promise<void> {
  await using cast = new PlanCast();
  const draw = random(seed);
  const sites = ['oslo', 'rome', 'cairo'];
  for (const step of ['restore', 'prepare', 'check', 'start']) {
    cast.plays.set(step, { ms: 500 + draw(6000) });
  }
  await cast.start('cairo');
  const founder = cast.cluster.founder.agentKey;
  const steps = promotingSteps().map((step) => ({ ...step, attempts: 10 }));
  const name = cast.submit(planOf(cast, { steps }));
  cast.log.say({ kind: 'isolate', agent: founder, dataset: undefined, reason: 'powered off' });
  for (let i = 0; i < 12; i++) {
    await cast.clock.advance(draw(3000));
    const site = sites[draw(3)] as string;
    const other = sites[draw(3)] as string;
    const what = draw(4);
    if (what === 0) cast.lead(draw(4) === 0 ? undefined : site);
    if (what === 1) await cast.actor(site).restart();
    if (what === 2 && site !== other) cast.cut(site, other);
    if (what === 3) cast.cuts.clear();
  }
  cast.cuts.clear();
  cast.lead(sites[draw(3)]);
  await cast.untilRun(name.plan, 'done');
  const begun = cast.deeds.filter(({ isEnd }) => !isEnd);
  const hooks = begun.filter(({ what }) => what === 'prepare' || what === 'start');
  const tries = hooks.map(({ what, attempt }) => `${what} ${attempt}`);
  expect(tries.length, tries.join()).toBe(new Set(tries).size);
  const fences = applied(cast, 'mark').map(({ fence }) => fence.index);
  expect(fences).toEqual(fences.toSorted((a, b) => a - b));
  expect(cast.log.state.incarnations.of(dataset)).toMatchObject({ incarnation: 1, state: 'live' });
  expect(cast.log.state.findings.equivocations).toEqual([]);
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
  test(`a plan comes to its end whatever falls down meanwhile (seed ${seed})`, async () => {
    await runSeed(seed);
  });
}
