import type { DatasetId } from '../core/ids.ts';
import type { Excess } from '../services/budget-book.ts';
import type { Refusal } from '../services/refusal-book.ts';
import type { Agent } from './agent.ts';
import type { RefusalReport } from './api.ts';
import { datasetName, quarantineReports } from './keeping-report.ts';

/** Peers that take no more of a dataset of this host. */
export function refusalReports(agent: Agent, dataset: DatasetId): RefusalReport[] {
  return agent.outbox.refusals
    .of(dataset)
    .filter((one) => isOfMember(agent, one))
    .map((one) => refusalReport(agent, one));
}

/** Nobody waits for the word of who was put out. */
function isOfMember({ control }: Agent, { agent: by }: Refusal): boolean {
  return control.log.state.members.record(by)?.expulsion === undefined;
}

function refusalReport(agent: Agent, { agent: by, code, reason }: Refusal): RefusalReport {
  const { name = by.slice(0, 8), site = '?' } = agent.ledger.roster.member(by) ?? {};
  return { peer: name, site, code, reason };
}

/** What a person should know of shards that are not taken, here or elsewhere, each with the next command. */
export function budgetWarnings(agent: Agent): string[] {
  const standing = agent.outbox.refusals.all().filter((one) => isOfMember(agent, one));
  const refused = standing.map((one) => {
    const { peer, site, code, reason } = refusalReport(agent, one);
    const next =
      code === 'over-budget'
        ? 'what waits is delivered by itself once it fits; to allow more, operators change the policy: holdfast policy show'
        : `holdfast peer show ${peer}`;
    return `${peer} (site ${site}) takes no more of ${datasetName(agent, one.dataset)}: ${reason}; ${next}`;
  });
  return [
    ...refused,
    ...agent.keeping.budgets.over().map((excess) => excessText(agent, excess)),
    ...agent.control.log.state.fates
      .all()
      .flatMap((fate) => quarantineReports(agent, fate))
      .map(
        ({ dataset, source, reason }) =>
          `${dataset} of ${source} is in quarantine: ${reason}. Nothing of it expires until an operator has looked: holdfast quarantine list`,
      ),
  ];
}

/** One sentence about a source that wants to store more at this host than it may. */
export function excessText(agent: Agent, { writer, dataset, reason, isTaken }: Excess): string {
  const next = isTaken ? 'holdfast quarantine list' : 'holdfast policy show';
  const then = isTaken ? 'it is taken under quarantine' : 'no more of it is taken';
  return `${agent.nameOf(writer)} stores more of ${datasetName(agent, dataset)} here than its budget allows: ${reason}; ${then}. Look at that host, then: ${next}`;
}
