import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBackend } from '../../src/agent/backend.ts';
import type { CommandReport } from '../../src/agent/coordinator-types.ts';
import type { PlanDraft, PlanProposal, PlanReport } from '../../src/agent/plan-types.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { sealCommand } from '../../src/core/format/control-envelope.ts';
import type { CommandId, ControlBody, PlanHash } from '../../src/core/format/control-records.ts';
import { clusterIdOf } from '../../src/core/format/genesis.ts';
import type { Fleet } from './fleet.ts';
import { insist } from './insist.ts';
import { addressOf } from './namespaces.ts';

const beginMaxMs = 120_000;

/** What a person with the operator's key and the recovery kit does, without a process for every command. */
export class Operator {
  readonly #fleet: Fleet;
  readonly #founder: string;
  readonly #backend = createBackend();

  constructor(fleet: Fleet, founder: string) {
    this.#fleet = fleet;
    this.#founder = founder;
  }

  /** Signs a command and has this agent put it into the control log. */
  submit(through: string, body: ControlBody): Promise<CommandReport> {
    const key = new Uint8Array(readFileSync(join(this.#home, 'operator.key')));
    const { bytes } = sealCommand({
      command: { id: randomBytes(16).toString('hex') as CommandId, timeMs: Date.now(), body },
      cluster: clusterIdOf(new Uint8Array(readFileSync(join(this.#home, 'genesis')))),
      generation: 1,
      secrets: [key],
    });
    const envelope = Buffer.from(bytes).toString('base64');
    return this.#fleet.api(through).submitCommand({ envelope });
  }

  get #home(): string {
    return this.#fleet.state(this.#founder);
  }

  /** Makes a plan of a draft, signs it, and grants the keys: what `restore plan` and `restore run` do. */
  async begin(through: string, draft: PlanDraft): Promise<PlanProposal> {
    return this.#carryOut(through, await this.#fleet.api(through).resolvePlan({ draft }));
  }

  async #carryOut(through: string, proposal: PlanProposal): Promise<PlanProposal> {
    const { text, hash } = proposal;
    const peers = this.#fleet.awake.map(({ index }) => `/ip4/${addressOf(index)}/tcp/7420`);
    const stateDir = this.#fleet.state(through);
    const keys = await this.#backend.openPlanKeys({
      ...{ stateDir, text, peers, kitText: readFileSync(this.#fleet.kit, 'utf8') },
      signal: AbortSignal.timeout(60_000),
    });
    const body = { kind: 'plan', plan: utf8(text), hash: hash as PlanHash } as const;
    const known = (await this.#fleet.api(through).plans()).some((plan) => plan.hash === hash);
    if (!known) refuseVoid(await this.submit(through, body));
    const operatorKeyFiles = [join(this.#home, 'operator.key')];
    const grants = await keys.grant({ stateDir, operatorKeyFiles, plan: hash, run: 1 });
    const problem = grants.find((grant) => grant.problem !== undefined);
    if (problem !== undefined) throw new Error(`no keys for ${problem.agent}: ${problem.problem}`);
    return proposal;
  }

  /** `begin`, tried again when no quorum answers: what was submitted before goes on with the same run. */
  async beginForSure(through: string, draft: PlanDraft): Promise<PlanProposal> {
    let proposal: PlanProposal | undefined;
    let isBegun = false;
    const problem = await insist(async () => {
      // A draft that is resolved anew may name a newer snapshot: that would be a second plan for one place.
      proposal ??= await this.#fleet.api(through).resolvePlan({ draft });
      await this.#carryOut(through, proposal);
      isBegun = true;
      return true;
    }, beginMaxMs);
    if (proposal === undefined || !isBegun)
      throw new Error(`no plan could be submitted: ${problem}`);
    return proposal;
  }

  async decide(
    through: string,
    { hash, run }: PlanReport,
    decision: 'cancel' | 'resume' | 'roll-back',
  ): Promise<CommandReport> {
    return this.submit(through, { kind: 'plan-decision', plan: hash as PlanHash, run, decision });
  }
}

function refuseVoid({ outcome, reason }: CommandReport): void {
  if (outcome === 'void') throw new Error(`the control log refused it: ${reason}`);
}
