import type { HoldfastError } from '../../../core/errors.ts';
import {
  type DrillReport,
  type DrillTimes,
  encodeDrillReport,
} from '../../../core/policy/drill-report.ts';
import { judgeObjectives, outcomeOf } from '../../../core/policy/drill-verdict.ts';
import type { SandboxRequest } from '../../drill-types.ts';
import type { Findings } from './scenario.ts';

type Frame = {
  readonly request: SandboxRequest;
  readonly startedMs: number;
  readonly endedMs: number;
};

/** Criteria of the restore that the policy's objectives make: those are judged for the whole scenario. */
const ofObjectives: readonly string[] = ['RTO', 'RPO'];

/**
 * The report of a scenario. `scale`: how many times larger the dataset is than what was made up; the part of the RTO that grows with
 * the size is reckoned with it.
 */
export function sandboxReport(
  { times, criteria, restored }: Findings,
  frame: Frame & { scale: number },
): DrillReport {
  const { request, scale } = frame;
  // Where nothing is lost there is nothing to compare with how much may be.
  const { rpoMs: _, ...others } = request.terms.objectives;
  const objectives = times.rpoMs === undefined ? others : request.terms.objectives;
  const { findMs, firstByteMs, restoreMs = 0, verifyMs = 0, checksMs } = restored.times;
  const recoverMs = times.recoverMs ?? restored.times.rtoMs ?? 0;
  const all: DrillTimes = {
    ...(findMs === undefined ? {} : { findMs }),
    ...(firstByteMs === undefined ? {} : { firstByteMs }),
    ...{ restoreMs, verifyMs },
    ...(checksMs === undefined ? {} : { checksMs }),
    ...whole(times),
    rtoMs: Math.round(recoverMs + (restoreMs + verifyMs) * (scale - 1)),
  };
  const isRtoReckoned = scale > 1.05;
  const must = [
    ...restored.criteria.filter(({ name }) => !ofObjectives.includes(name)),
    ...criteria,
  ];
  const judged = judgeObjectives({ objectives, times: all, isRtoReckoned });
  return checked({
    ...base(frame),
    objectives,
    times: all,
    isRtoReckoned,
    ...(restored.restored === undefined ? {} : { restored: restored.restored }),
    sites: restored.sites,
    ...(restored.fidelity === undefined ? {} : { fidelity: restored.fidelity }),
    criteria: [...must, ...judged],
    outcome: outcomeOf(must, judged),
  });
}

/** Of a scenario that did not come to its end. */
export function failedReport(failure: HoldfastError, frame: Frame): DrillReport {
  return checked({
    ...base(frame),
    times: {},
    isRtoReckoned: false,
    sites: [],
    criteria: [{ name: 'came to its end', isMet: false, detail: failure.message.slice(0, 400) }],
    outcome: 'failed',
  });
}

function base({ request, startedMs, endedMs }: Frame) {
  const { scenario, terms, dataset } = request;
  return {
    version: 1,
    kind: scenario,
    where: 'sandbox',
    ...{ cluster: terms.cluster, agent: terms.agent },
    authority: 'none',
    ...{ startedMs: Math.round(startedMs), endedMs: Math.round(endedMs) },
    dataset,
    scope: 'shape',
    objectives: terms.objectives,
    policyVersion: terms.policyVersion,
    approvals: terms.approvals,
    isolation:
      'a cluster of its own: processes of this machine on the loopback, with made-up data, below a new directory of mode 0700',
  } as const;
}

/** What is signed holds whole numbers. */
function whole(times: DrillTimes): DrillTimes {
  return Object.fromEntries(
    Object.entries(times).flatMap(([name, ms]) =>
      ms === undefined ? [] : [[name, Math.round(ms)]],
    ),
  );
}

/** It must be possible to sign it: what is not whole numbers and plain data shows here. */
function checked(report: DrillReport): DrillReport {
  encodeDrillReport(report);
  return report;
}
