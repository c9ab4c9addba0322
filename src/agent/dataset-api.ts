import type { DatasetId } from '../core/ids.ts';
import type { Incarnation } from '../core/protocol/control/incarnation-book.ts';
import type { Certificate, Slot } from '../core/protocol/control/slot.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { Agent } from './agent.ts';
import { hearNews } from './coordinator-news.ts';
import type { CommandReport } from './coordinator-types.ts';
import type { DatasetApi, IncarnationReport, SlotReport } from './dataset-types.ts';

export function datasetApi(agent: Agent): DatasetApi {
  return {
    datasets: async () => {
      await hearNews(agent);
      return reports(agent);
    },
    demote: ({ dataset }) => demote(agent, dataset),
  };
}

function reports(agent: Agent): IncarnationReport[] {
  return agent.lines.all().map((dataset) => report(agent, dataset));
}

function report(agent: Agent, dataset: DatasetRecord): IncarnationReport {
  const { incarnations } = agent.control.log.state;
  const { may, reason } = agent.control.log.state.mayWrite(agent.control.log.self, dataset.id);
  const isolated = incarnations.isolations
    .all()
    .filter((one) => incarnations.isolations.covers(one.agent, dataset.id))
    .map((one) => ({ agent: agent.nameOf(one.agent), agentKey: one.agent, reason: one.reason }));
  return {
    name: dataset.name,
    id: dataset.id,
    source: agent.nameOf(incarnations.of(dataset.id)?.holders[0]?.agent ?? dataset.writer),
    ...stateFields(agent, incarnations.of(dataset.id)),
    isolated,
    ...frozenField(agent, dataset),
    ...leaseFields(agent, dataset.id),
    here: { mayWrite: may, reason },
  };
}

function frozenField(agent: Agent, { id }: DatasetRecord): Pick<IncarnationReport, 'frozen'> {
  const writers = agent.ledger.roster.datasets().filter((one) => one.id === id);
  const frozen = writers.filter(({ writer }) => agent.packUse.isFrozen(writer));
  if (frozen.length === 0) return {};
  const names = frozen.map(({ writer }) => agent.nameOf(writer)).join(', ');
  return { frozen: `${names} has signed two histories: nothing of it expires` };
}

function leaseFields(agent: Agent, dataset: DatasetId): Pick<IncarnationReport, 'lease'> {
  const { leases } = agent.control.log.state;
  const lease = leases.all().find((one) => one.dataset === dataset);
  if (lease === undefined) return {};
  const { holder, forMs, incarnation, lapsed } = lease;
  const isHeld = leases.of(dataset) !== undefined;
  const fields = { holder: agent.nameOf(holder), forMs, incarnation, isHeld };
  return { lease: { ...fields, lapsed: lapsed.map((voter) => agent.nameOf(voter)) } };
}

type StateFields = Omit<
  IncarnationReport,
  'name' | 'id' | 'source' | 'isolated' | 'frozen' | 'lease' | 'here'
>;

function stateFields(agent: Agent, known: Incarnation | undefined): StateFields {
  if (known === undefined) return { state: 'open', incarnation: 0, reinstated: [], holders: [] };
  const { state, incarnation, holder, reinstated, holders, slot, certificate } = known;
  return {
    state,
    incarnation,
    ...(holder === undefined ? {} : { holder: agent.nameOf(holder) }),
    reinstated: reinstated.map((one) => agent.nameOf(one)),
    holders: holders.map((one) => ({ ...one, agent: agent.nameOf(one.agent) })),
    ...(slot === undefined ? {} : { slot: openSlot(agent, slot, incarnation) }),
    ...(certificate === undefined ? {} : { certificate: decidedSlot(agent, certificate) }),
  };
}

function openSlot(
  agent: Agent,
  slot: Slot,
  incarnation: number,
): NonNullable<IncarnationReport['slot']> {
  const grants = slot.votes.filter(({ isGrant }) => isGrant).length;
  const fields = slotFields(agent, slot);
  const { isGivenUp } = slot;
  return { ...fields, incarnation, grants, abandons: slot.votes.length - grants, isGivenUp };
}

function decidedSlot(agent: Agent, certificate: Certificate): SlotReport {
  const { incarnation, votes } = certificate;
  return { ...slotFields(agent, certificate), incarnation, grants: votes.length };
}

function slotFields(
  agent: Agent,
  {
    generation,
    target,
    plan,
    run,
    step,
    voters,
  }: Omit<Slot, 'votes' | 'index' | 'isGivenUp' | 'from'>,
): Omit<SlotReport, 'incarnation' | 'grants'> {
  const names = voters.map((voter) => agent.nameOf(voter));
  return { generation, target: agent.nameOf(target), plan, run, step, voters: names };
}

async function demote(agent: Agent, text: string): Promise<CommandReport> {
  const { id, name } = agent.lines.find(text);
  const applied = await agent.control.writeRight.demote({ id, name });
  return { ...applied, generation: agent.control.log.status().generation };
}
