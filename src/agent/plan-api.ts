import { fromUtf8 } from '../base/bytes.ts';
import { secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import { hexBytes } from '../core/format/control-field.ts';
import { factHash } from '../core/format/facts.ts';
import type { AgentKey, PeerKey } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { encodePlan, planHash } from '../core/policy/plan-text.ts';
import { policyDefaults } from '../core/policy/policy-document.ts';
import type { RestorePlan } from '../core/policy/restore-plan.ts';
import type { PlanRecord } from '../core/protocol/control/plan-run.ts';
import type { RunName } from '../services/plan/work-order.ts';
import { workersFor } from '../services/plan/worker-choice.ts';
import type { Agent } from './agent.ts';
import { hearNews } from './coordinator-news.ts';
import { type DraftDataset, type DraftFacts, readPlan, resolveDraft } from './plan-draft.ts';
import { estimatePlan } from './plan-estimate.ts';
import { findPlan, newestRun, planReport } from './plan-report.ts';
import type { PlanApi, PlanProposal, PlanRecipient } from './plan-types.ts';

/** What the agent's part in plans must offer here. */
export type PlanParts = {
  /** To what keys for a run shall be sealed, when this host restores. @throws HoldfastError not-found */
  recipient(name: RunName): Promise<string>;
  /** Durable when resolved. */
  keepFact(hash: Uint8Array, fact: Uint8Array): Promise<void>;
};

/** An agent may learn of a plan a moment after it was signed: it is asked again this long. */
const arrivalTimeoutMs = 10 * secondMs;
const askAgainMs = secondMs / 2;

export function planApi(agent: Agent, parts: PlanParts = partsOf(agent)): PlanApi {
  return {
    resolvePlan: async ({ draft }) => {
      await hearNews(agent);
      return proposal(agent, resolveDraft(draft, draftFacts(agent)));
    },
    readPlan: async ({ text }) => {
      await hearNews(agent);
      return proposal(agent, readPlan(parsed(text)));
    },
    plans: async () => {
      await hearNews(agent);
      return agent.control.log.state.plans.all().map((one) => planReport(agent, one));
    },
    plan: async (text) => {
      await hearNews(agent);
      return planReport(agent, findPlan(agent, text));
    },
    planRecipients: (request) => recipients(agent, parts, request),
    keepFacts: async ({ facts }) => {
      for (const fact of facts) await keepFact(parts, new Uint8Array(Buffer.from(fact, 'base64')));
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError('usage', 'the plan is not JSON', {
      next: 'holdfast restore plan DATASET --to SITE -o FILE',
      cause,
    });
  }
}

async function proposal(agent: Agent, plan: RestorePlan): Promise<PlanProposal> {
  const bytes = encodePlan(plan);
  const estimate = await estimatePlan(agent, plan);
  return {
    hash: planHash(bytes),
    text: fromUtf8(bytes) ?? '',
    plan,
    estimate,
    notices: notices(agent, plan, estimate.datasets),
  };
}

function notices(
  agent: Agent,
  plan: RestorePlan,
  datasets: PlanProposal['estimate']['datasets'],
): string[] {
  const { incarnations } = agent.control.log.state;
  const texts: string[] = [];
  for (const [i, { name, snapshot, known }] of datasets.entries()) {
    const short = snapshot.slice(0, 8);
    if (known === undefined) texts.push(`${name}: snapshot ${short} is not known to this host`);
    else if (!known.isRestorableNow) {
      texts.push(`${name}: the peers reachable now cannot rebuild snapshot ${short}`);
    } else if (known.state !== 'committed') {
      texts.push(`${name}: snapshot ${short} is only ${known.state}`);
    } else if (!known.isAnchored) {
      texts.push(`${name}: snapshot ${short} is not anchored in the control log`);
    }
    const dataset = plan.datasets[i];
    if (dataset === undefined) continue;
    const isPromoted = plan.steps.some((step) => step.kind === 'promote' && step.dataset === name);
    const at = incarnations.of(dataset.id);
    const live = at === undefined ? dataset.writer : at.state === 'live' ? at.holder : undefined;
    if (isPromoted && live !== undefined) {
      texts.push(
        `${name} is live at ${agent.nameOf(live)}: the promotion will wait until that copy is known to be off (holdfast dataset demote there, or holdfast dataset isolate)`,
      );
    }
  }
  const site = agent.control.log.state.members.all().filter((one) => one.site === plan.target.site);
  if (!site.some(({ agent: key }) => agent.status.isReachable(key))) {
    texts.push(`no agent of site ${plan.target.site} can be reached from here`);
  }
  return texts;
}

function draftFacts(agent: Agent): DraftFacts {
  const { ledger, clock } = agent;
  const members = agent.control.log.state.members.all();
  return {
    sites: [...new Set(members.map(({ site }) => site))].sort(),
    agents: members.map(({ name }) => name),
    dataset: (text) => draftDataset(agent, text),
    created: `${new Date(clock.nowMs()).toISOString()} at ${ledger.roster.member(agent.control.log.self)?.name ?? '?'}`,
  };
}

function draftDataset(agent: Agent, text: string): DraftDataset {
  const { name, id, ...found } = agent.lines.find(text);
  // A new holder has no snapshot yet: then the one before it has the newest.
  const writer = agent.lines.line(id).at(-1)?.statement.writer ?? found.writer;
  const anchor = agent.control.log.state.anchors.of(writer, id)?.head;
  const snapshots = agent.ledger
    .manifests(id)
    .filter(({ statement }) => statement.writer === writer)
    .map(({ hash, manifest }) => ({ snapshot: hash, sequence: manifest.sequence }));
  const anchored =
    anchor === undefined ? undefined : { snapshot: anchor.hash, sequence: anchor.sequence };
  return { name, id, writer, anchored, snapshots };
}

async function recipients(
  agent: Agent,
  parts: PlanParts,
  { plan: text, run: number }: { plan: string; run: number },
): Promise<PlanRecipient[]> {
  const record = findPlan(agent, text);
  const run = newestRun(record);
  if (run.run !== number) {
    throw new HoldfastError('not-found', `run ${number} of this plan is not its newest`, {
      next: 'holdfast restore status',
    });
  }
  const members = agent.control.log.state.members.all();
  const needs = new Map<AgentKey, Set<string>>();
  for (const step of record.plan.steps) {
    if (step.kind !== 'restore') continue;
    const dataset = record.plan.datasets.find(({ name }) => name === step.dataset);
    for (const member of workersFor({ plan: record.plan, run, step, members })) {
      const snapshots = needs.get(member.agent) ?? new Set();
      if (dataset !== undefined) snapshots.add(dataset.snapshot);
      needs.set(member.agent, snapshots);
    }
  }
  const name = { plan: record.hash, run: number };
  return Promise.all(
    [...needs].map(async ([key, snapshots]) => ({
      agent: agent.nameOf(key),
      agentKey: key,
      snapshots: [...snapshots],
      lastsMs: grantTime(agent, record),
      ...(await recipientOf(agent, parts, { key, name })),
    })),
  );
}

/** As long as the policy lets a grant of all of the plan's datasets last. */
function grantTime({ control }: Agent, { plan }: PlanRecord): number {
  const { policy } = control.log.state;
  const spans = plan.datasets.map(({ name }) => policy.ruleFor(name).restore?.expiresMs);
  return Math.min(...spans.map((ms) => ms ?? policyDefaults.grantMs));
}

async function recipientOf(
  agent: Agent,
  parts: PlanParts,
  { key, name }: { readonly key: AgentKey; readonly name: RunName },
): Promise<{ recipient: string } | { problem: string }> {
  const { clock, control } = agent;
  const peer = control.log.state.members.of(key)?.peer;
  const endMs = clock.monotonicMs() + arrivalTimeoutMs;
  for (;;) {
    try {
      if (key === control.log.self) return { recipient: await parts.recipient(name) };
      if (peer === undefined || !agent.peers.isReachable(peer)) {
        return { problem: 'it cannot be reached' };
      }
      return { recipient: await ask(agent, peer, name) };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const isOnItsWay = codeOf(error) === 'not-found' && clock.monotonicMs() < endMs;
      if (!isOnItsWay) return { problem: error.message };
    }
    await clock.sleep(askAgainMs);
  }
}

async function ask(agent: Agent, peer: PeerKey, name: RunName): Promise<string> {
  const value = { plan: hexBytes(name.plan), run: name.run };
  const { recipient } = await agent.peers.ask(peer, { case: 'recipient', value });
  return recipient;
}

function partsOf({ control }: Agent): PlanParts {
  return {
    recipient: (name) => control.keys.recipient(name),
    keepFact: (hash, fact) => control.keepFact(hash, fact),
  };
}

async function keepFact(parts: PlanParts, fact: Uint8Array): Promise<void> {
  if (fact.length === 0 || fact.length > limits.factSizeMax) {
    throw new HoldfastError('limit-exceeded', 'a part of a grant is too large', {
      details: { size: fact.length, sizeMax: limits.factSizeMax },
    });
  }
  await parts.keepFact(factHash(fact), fact);
}
