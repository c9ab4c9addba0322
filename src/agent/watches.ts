import { stageOf } from '../core/protocol/control/fate.ts';
import type { Cancel } from '../ports/runtime.ts';
import { FirstSeen } from '../services/first-seen.ts';
import { EscrowWatch } from '../services/keys/escrow-watch.ts';
import { OutboxLeftovers } from '../services/outbox-leftovers.ts';
import { DamageWatch } from '../services/repair/damage-watch.ts';
import { TripwireWatch } from '../services/tripwire-watch.ts';
import type { Agent } from './agent.ts';
import type { AgentPorts } from './agent-ports.ts';
import { Conditions, type Facts } from './conditions/conditions.ts';
import { coordinatorStatus } from './coordinator-api.ts';

/** Whoever looks at how things stand, and tells people. */
export function watches(
  agent: Agent,
  { index, clock, log }: Pick<AgentPorts, 'index' | 'clock' | 'log'>,
): { run(options: Cancel): Promise<void> }[] {
  const { alarms, ledger, store, upkeep } = agent;
  const { challenger, repairs } = upkeep;
  const firstSeen = new FirstSeen(index, () => clock.nowMs());
  return [
    new TripwireWatch({ ...agent, clock, log }),
    new EscrowWatch({ control: agent.control.log, alarms, clock, log }),
    new DamageWatch({
      ...{ ledger, store, challenger, alarms, clock, log, self: agent.member().agentKey },
      judgement: () => repairs.state.judgement,
    }),
    new OutboxLeftovers({
      ...{ ...agent, clock, log },
      survey: async () => (await repairs.recent()).survey,
      isGone: ({ statement: { writer }, manifest: { dataset, sequence } }) =>
        stageOf(agent.control.log.state.fates.of(writer, dataset), sequence) === 'gone',
      indexOf: async (dataset) => (await agent.datasets.own(dataset))?.index,
      isBackingUp: () => agent.backup.isRunning,
    }),
    new Conditions({ facts: factsOf(agent), alarms, firstSeen, clock, log }),
  ];
}

function factsOf(agent: Agent): Facts {
  const { ledger, store, upkeep } = agent;
  return {
    self: agent.member().name,
    roster: ledger.roster,
    // Roles are given and taken while the agent runs.
    get configured() {
      return agent.member().hasRole('source') ? agent.configuredDatasets : [];
    },
    datasets: () => agent.status.datasets(),
    coordinator: () => coordinatorStatus(agent),
    lostSites: () => {
      const { sites } = agent.control.log.state;
      const known = ledger.roster.sites().map(({ site }) => site);
      return known.filter((site) => sites.of(site)?.isLost === true);
    },
    clocks: () =>
      agent.peers.report().flatMap(({ member: { name }, state, clockSkewMs }) => {
        if (state === 'self') return [];
        return [{ name, skewMs: state === 'connected' ? clockSkewMs : undefined }];
      }),
    room: () => store?.usage(),
    // A host that stores nothing does not look at packs.
    lostPacks: () => (store === undefined ? 0 : upkeep.repairs.state.judgement?.lost.length),
  };
}
