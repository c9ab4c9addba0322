import { minuteMs } from '../../base/units.ts';
import type { DrillCheck } from '../../core/policy/drill-verdict.ts';
import type { Probe } from '../../core/policy/restore-plan.ts';
import type { ProbeRunner } from '../../ports/probe.ts';

/** What a program calls the directory of the restored files. */
const placeholder = '{staging}';

export type CheckedFiles = {
  readonly probes: ProbeRunner;
  /** Directory of the restored files. */
  readonly staged: string;
  readonly signal: AbortSignal;
};

/** Asks each question of the restored files, one after another. Commands run only where somebody has allowed it. */
export async function checkStaged(
  order: { readonly checks: readonly Probe[]; readonly runsCommands: boolean },
  { probes, staged, signal }: CheckedFiles,
): Promise<(DrillCheck & { detail: string })[]> {
  const results: (DrillCheck & { detail: string })[] = [];
  for (const probe of order.checks) {
    const { kind } = probe;
    if (kind === 'command' && !order.runsCommands) {
      const detail = 'not run: commands need --allow-hooks, or "commands": "run" in the policy';
      results.push({ kind, outcome: 'skipped', detail });
      continue;
    }
    const asked = placed(probe, staged);
    const { isHealthy, detail } = await probes.run(asked, { timeoutMs: minuteMs, signal });
    results.push({ kind, outcome: isHealthy ? 'healthy' : 'sick', detail });
  }
  return results;
}

/** Files are named as in the snapshot; programs are told where these lie now. */
function placed(probe: Probe, staged: string): Probe {
  if (probe.kind === 'digest') return { ...probe, file: `${staged}${probe.file}` };
  if (probe.kind !== 'command') return probe;
  return { ...probe, argv: probe.argv.map((word) => word.replaceAll(placeholder, staged)) };
}
