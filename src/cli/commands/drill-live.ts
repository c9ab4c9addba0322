import { resolve } from 'node:path';
import type { RecoverySession } from '../../agent/api.ts';
import type { DrillRequest, DrillTerms } from '../../agent/drill-types.ts';
import { GiB } from '../../base/units.ts';
import { type ErrorCode, HoldfastError } from '../../core/errors.ts';
import type { DrillKind } from '../../core/policy/drill-report.ts';
import type { RunFlags } from '../drill-flags.ts';
import { endDrill, followDrill } from '../drill-follow.ts';
import { recoveryOf, resolveSnapshot } from '../recovery.ts';
import { shellWord } from '../shell-word.ts';
import { drillGranted } from './drill-granted.ts';
import type { CliContext } from '../world.ts';

/** Never staged more than this, unless asked. */
const stagedMax = 1024 * GiB;

/** Of what is backed up in the cluster. */
export function isLive(scenario: DrillKind): scenario is DrillRequest['kind'] {
  return ['dataset', 'file', 'site-loss', 'key-loss'].includes(scenario);
}

/** Names of datasets may hold a colon, paths begin with a slash. */
export function splitSubject(text: string): { dataset: string; path: string } {
  const at = text.indexOf(':/');
  if (at === -1) return { dataset: text, path: '/' };
  return { dataset: text.slice(0, at), path: text.slice(at + 1) };
}

/** Restores what is backed up into a staging area, and measures. */
export async function drillLive(
  context: CliContext,
  { kind, of }: { kind: DrillRequest['kind']; of: string },
  flags: RunFlags,
): Promise<void> {
  const { dataset, path } = splitSubject(of);
  if (flags.grant === true) {
    return drillGranted(context, { dataset, isWhole: kind === 'dataset' && path === '/' }, flags);
  }
  requireSense({ kind, of, path }, flags);
  const agentTerms = await termsOf(context, { dataset, scenario: kind });
  const hasAgent = agentTerms !== undefined;
  const lost =
    kind === 'site-loss' ? await lostSites(context, { dataset, flags, hasAgent }) : undefined;
  await using session = await sessionWithout(context, flags, { lost, agentTerms });
  const terms = agentTerms ?? unsignedTerms(session);
  const snapshot = await resolveSnapshot(session, { snapshot: flags.snapshot, dataset });
  const request = requestOf(context, { kind, snapshot, path, terms, lost, flags });
  const report = await followDrill(context, session.drill(request));
  await endDrill(context, report, { hasAgent, isWanted: flags.record });
}

function requireSense(
  { kind, of, path }: { kind: DrillRequest['kind']; of: string; path: string },
  { share, without }: RunFlags,
): void {
  if (kind === 'file' && path === '/') {
    throw new HoldfastError('usage', 'a file drill names a path in the dataset', {
      next: `holdfast drill run file ${shellWord(`${of}:/PATH`)} --kit FILE`,
    });
  }
  if (kind === 'key-loss' && share === undefined) {
    throw new HoldfastError(
      'usage',
      'a drill of the loss of the kit opens the backups with the shares of custodians, or in a sandbox',
      { next: `holdfast drill run key-loss ${shellWord(of)} --share FILE --share FILE` },
    );
  }
  if (kind !== 'site-loss' && without !== undefined) {
    throw new HoldfastError('usage', '--without is of the scenario site-loss', {
      next: `holdfast drill run site-loss ${shellWord(of)} --kit FILE`,
    });
  }
}

/** Those that were named; else the source's, with all that it has. */
async function lostSites(
  context: CliContext,
  { dataset, flags, hasAgent }: { dataset: string; flags: RunFlags; hasAgent: boolean },
): Promise<string[]> {
  if (flags.without !== undefined) return [...new Set(flags.without)].sort();
  const site = hasAgent ? await sourceSite(context, dataset) : undefined;
  if (site !== undefined) return [site];
  throw new HoldfastError('usage', `at which site ${dataset} is made is not known here`, {
    next: `holdfast drill run site-loss ${shellWord(dataset)} --without SITE --kit FILE`,
  });
}

async function sourceSite(
  { backend, stateDir }: CliContext,
  dataset: string,
): Promise<string | undefined> {
  const agent = backend.control(stateDir);
  const [{ datasets }, peers] = await Promise.all([agent.status(), agent.peers()]);
  const source = datasets.find(({ name, id }) => name === dataset || id === dataset)?.source;
  return peers.find(({ name }) => name === source)?.site;
}

async function sessionWithout(
  context: CliContext,
  flags: RunFlags,
  { lost, agentTerms }: { lost: string[] | undefined; agentTerms: DrillTerms | undefined },
): Promise<RecoverySession> {
  const { stateDir, ...options } = await recoveryOf(context, flags);
  const isHereLost = agentTerms !== undefined && lost?.includes(agentTerms.agent.site) === true;
  return context.backend.openRecovery({
    ...options,
    // What this host holds is lost with its site.
    ...(isHereLost || stateDir === undefined ? {} : { stateDir }),
    ...(lost === undefined ? {} : { without: lost }),
  });
}

type RequestParts = Pick<DrillRequest, 'kind' | 'snapshot' | 'path' | 'terms'> & {
  lost: string[] | undefined;
  flags: RunFlags;
};

function requestOf(context: CliContext, { flags, lost, ...rest }: RequestParts): DrillRequest {
  const { cwd, stateDir } = context;
  const { sample, compare, staging, check = [] } = flags;
  // Those of the policy are about the whole: of a part, what they ask for may not be there.
  const isWhole = sample === undefined && rest.kind !== 'file' && rest.path === '/';
  return {
    ...rest,
    authority: flags.share === undefined ? 'kit' : 'shares',
    ...(lost === undefined ? {} : { without: lost }),
    ...(sample === undefined ? {} : { sampleBytes: sample }),
    stagingDir: staging === undefined ? resolve(stateDir, 'staging') : resolve(cwd, staging),
    bytesMax: flags.maxSize ?? stagedMax,
    checks: [...(isWhole ? rest.terms.checks : []), ...check],
    runsCommands: flags.allowHooks === true,
    keeps: flags.keep === true,
    ...(compare === undefined ? {} : { compareWith: resolve(cwd, compare) }),
  };
}

// Whoever restores on a blank machine has no agent, and may rehearse all the same.
const noAgent: readonly ErrorCode[] = ['agent-not-running', 'no-cluster', 'agent-unreachable'];

async function termsOf(
  context: CliContext,
  request: { dataset: string; scenario: DrillKind },
): Promise<DrillTerms | undefined> {
  try {
    return await context.backend.control(context.stateDir).drillTerms(request);
  } catch (error) {
    if (error instanceof HoldfastError && noAgent.includes(error.code)) return undefined;
    throw error;
  }
}

function unsignedTerms({ cluster }: RecoverySession): DrillTerms {
  return {
    cluster,
    agent: { name: '', site: '', key: '' },
    policyVersion: 0,
    objectives: {},
    approvals: { needed: 0, by: [] },
    checks: [],
  };
}
