import type { DataAgent } from '../../sim/data/agent.ts';
import { operatorSecret } from '../../sim/data/cast.ts';
import { minuteMs, secondMs } from '../../src/base/units.ts';
import type { ControlBody } from '../../src/core/format/control-records.ts';
import type { PolicyDocument } from '../../src/core/policy/policy-document.ts';
import { encodePolicy } from '../../src/core/policy/policy-text.ts';
import type { PeacefulAgents } from './peaceful-agents.ts';

/** What people at the hosts of a simulated cluster are told, and what they do about it. */
export class ToldPeople {
  readonly #agents: () => PeacefulAgents;

  constructor(agents: () => PeacefulAgents) {
    this.#agents = agents;
  }

  host(name: string): DataAgent {
    const found = this.#agents().cluster.agents.find((agent) => agent.name === name);
    if (found === undefined) throw new Error(`nobody is ${name}`);
    return found;
  }

  /** Kinds and subjects of what people at a host were told of, and not yet that it is over. */
  standing(name: string): string[] {
    const alarms = this.host(name).agent?.alarms.all() ?? [];
    return alarms
      .filter(({ clearedMs }) => clearedMs === undefined)
      .map(({ kind, subject }) => `${kind} ${subject}`);
  }

  /** Kinds alone, each once. */
  kinds(name: string): string[] {
    return [...new Set(this.standing(name).map((one) => one.split(' ')[0] ?? ''))].sort();
  }

  async until(isSo: () => boolean, withinMs: number): Promise<number> {
    const { world } = this.#agents().cluster;
    const startMs = world.nowMs;
    while (!isSo() && world.nowMs - startMs < withinMs) await world.advance(secondMs);
    return world.nowMs - startMs;
  }

  async backUp(name: string): Promise<void> {
    const { workload } = this.#agents();
    workload.backUp(this.host(name));
    await this.until(() => !workload.isBusy(this.host(name)), 5 * minuteMs);
  }

  /** The operator signs. @returns the outcome */
  async decide(body: ControlBody): Promise<string> {
    const control = this.host('ada').agent?.control.log;
    if (control === undefined) throw new Error('ada does not run');
    let outcome = '';
    void control.submit(body, { extraSecrets: [operatorSecret] }).then((applied) => {
      outcome = applied.outcome;
    });
    await this.until(() => outcome !== '', minuteMs);
    return outcome;
  }

  /** Puts these terms beside those in force. */
  async rule(terms: Partial<PolicyDocument>): Promise<string> {
    const control = this.host('ada').agent?.control.log;
    if (control === undefined) throw new Error('ada does not run');
    const { version, document } = control.state.policy.current;
    const next = encodePolicy({ ...document, ...terms });
    return this.decide({ kind: 'policy', version: version + 1, base: version, document: next });
  }
}
