import { encodePolicy } from '../../src/core/policy/policy-text.ts';
import type { DataAgent } from './agent.ts';
import { operatorSecret } from './cast.ts';
import type { DataCluster } from './cluster.ts';

const lookEveryMs = 5_000;
/** Whoever asked a host that has crashed gets no answer. */
const answerWithinMs = 20_000;

/** The operator, who has the policy say where full copies are to be, as soon as somebody takes it. */
export class HotPolicy {
  readonly #cluster: DataCluster;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(cluster: DataCluster) {
    this.#cluster = cluster;
  }

  begin(): void {
    const { world, plan } = this.#cluster;
    if (plan.hot !== undefined) world.after(plan.hot.fromMs, () => this.#look());
  }

  #look(): void {
    const { world, agents } = this.#cluster;
    world.after(lookEveryMs, () => this.#look());
    const [founder] = agents;
    if (founder === undefined || world.nowMs - this.#askedMs < answerWithinMs) return;
    // Nobody could decide, or it has crashed: asked again.
    this.#ask(founder).catch(() => {});
  }

  async #ask({ agent }: DataAgent): Promise<void> {
    const control = agent?.control.log;
    if (control === undefined) return;
    const { version, document } = control.state.policy.current;
    const sites = this.#sites();
    const datasets = sites.length === 0 ? [] : [{ match: '*', tiers: { hot: { sites } } }];
    if (JSON.stringify(document.datasets ?? []) === JSON.stringify(datasets)) return;
    const next = encodePolicy({ ...document, datasets });
    const body = { kind: 'policy', version: version + 1, base: version, document: next } as const;
    this.#askedMs = this.#cluster.world.nowMs;
    const { outcome } = await control.submit(body, { extraSecrets: [operatorSecret] });
    this.#cluster.world.meet(`policy with ${sites.length} hot sites: ${outcome}`);
  }

  #sites(): string[] {
    const { world, plan } = this.#cluster;
    return isHotNow(plan.hot, world.nowMs) ? [this.#cluster.at(plan.hot?.agent ?? 0).site] : [];
  }
}

/** Whether the policy is to want full copies. */
export function isHotNow(hot: DataCluster['plan']['hot'], nowMs: number): boolean {
  return hot !== undefined && nowMs >= hot.fromMs && nowMs < (hot.untilMs ?? Infinity);
}
