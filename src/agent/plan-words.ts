import { assertNever } from '../base/assert.ts';
import type { PlanStep, Probe } from '../core/policy/restore-plan.ts';

/** A step for people: "restore web to /srv/web". */
export function stepInWords(step: PlanStep): string {
  switch (step.kind) {
    case 'restore':
      return `restore ${step.dataset} to ${step.to}`;
    case 'check':
      return `check ${probeInWords(step.probe)}`;
    case 'hook':
      return `run ${step.argv.join(' ')}${step.undo === undefined ? '' : ` (undo: ${step.undo.join(' ')})`}`;
    case 'promote':
      return `promote ${step.dataset}`;
    default:
      return assertNever(step);
  }
}

function probeInWords(probe: Probe): string {
  switch (probe.kind) {
    case 'command':
      return probe.argv.join(' ');
    case 'http':
      return `${probe.url} answers ${probe.expect}`;
    case 'tcp':
      return `${probe.address} accepts a connection`;
    case 'digest':
      return `${probe.file} has SHA-256 ${probe.sha256.slice(0, 12)}..`;
    default:
      return assertNever(probe);
  }
}
