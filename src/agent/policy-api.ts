import { type DatasetId, shortId } from '../core/ids.ts';
import type * as book from '../core/protocol/control/policy-book.ts';
import { newest } from '../core/protocol/control/versioned.ts';
import type { Agent } from './agent.ts';
import { hearNews } from './coordinator-news.ts';
import { operatorName } from './operator-name.ts';
import type { PolicyApi, PolicyReport, PolicyVersion } from './policy-types.ts';

export function policyApi(agent: Agent): PolicyApi {
  return {
    policy: async () => {
      await hearNews(agent);
      return policyReport(agent);
    },
    logProof: async () => {
      const { note, image, decree } = (await agent.control.proof()) ?? {};
      if (note === undefined || image === undefined) return {};
      return { note, image: base64(image), ...(decree && { decree: base64(decree) }) };
    },
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function policyReport(agent: Agent): PolicyReport {
  const { history } = agent.control.log.state.policy;
  return {
    ...policyVersion(agent, newest(history)),
    history: history.map((one) => policyVersion(agent, one)),
  };
}

function policyVersion(agent: Agent, { value, ...rest }: book.PolicyVersion): PolicyVersion {
  const { version, document, surviveSites, failover } = value;
  return {
    version,
    document,
    surviveSites,
    failover: {
      siteLostAfterMs: failover.siteLostAfterMs,
      action: failover.action,
      rules: failover.rules.map(({ dataset, standbySite, plan, leaseMs }) => ({
        dataset: datasetName(agent, dataset),
        datasetId: dataset,
        standbySite,
        ...(plan === undefined ? {} : { plan }),
        ...(leaseMs === undefined ? {} : { leaseMs }),
      })),
    },
    decreeNoticeMs: value.decreeNoticeMs,
    destructiveDelayMs: value.destructiveDelayMs,
    index: rest.index,
    authors: rest.authors.map((author) => operatorName(agent, author)),
    timeMs: rest.timeMs,
    evidence: rest.evidence.map((envelope) => Buffer.from(envelope).toString('base64')),
    authorKeys: [...rest.authors],
  };
}

function datasetName(agent: Agent, id: DatasetId): string {
  return agent.ledger.roster.datasets().find((one) => one.id === id)?.name ?? shortId(id);
}
