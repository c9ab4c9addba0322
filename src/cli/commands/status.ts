import type { Command } from 'commander';
import type { DatasetStatus, PeerReport, StatusReport } from '../../agent/api.ts';
import { expelled } from '../../agent/expelled.ts';
import { formatSize, formatSpan } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { againstTarget, outcomeWords } from '../drill-words.ts';
import { message } from '../json-fields.ts';
import { withStateFlag } from '../state-flag.ts';
import type { Cell } from '../table.ts';
import { clean, counted, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

/** Can it be restored now, from where, how old; then the peers; then what is wrong. */
export function addStatus(program: Command, register: Register): void {
  const command = program
    .command('status')
    .description('Show whether each dataset can be restored now, from where, and what is wrong.');
  register(command, async (context) => {
    const agent = context.backend.control(context.stateDir);
    const [status, peers] = await Promise.all([agent.status(), agent.peers()]);
    if (context.output.isJson) await printJson(context, status, peers);
    else {
      await printDatasets(context, status);
      await printPeers(context, status, peers);
      await printScrub(context, status);
      await printWarnings(context, status);
    }
    refuseDanger(context, status);
  });
}

/** So that a script or a monitor needs the exit code only. */
function refuseDanger({ stateFlag }: CliContext, status: StatusReport): void {
  const { contradictions, datasets, expulsion } = status;
  if (expulsion !== undefined) {
    // What stands above it may be old.
    throw expelled(expulsion);
  }
  const namesOf = (some: DatasetStatus[]): string => clean(some.map(({ name }) => name).join(', '));
  const isLost = ({ restorable }: DatasetStatus): boolean => restorable?.isRestorableNow === false;
  const lost = datasets.filter(isLost);
  if (lost.length > 0) {
    const message = `cannot be restored from the peers that are reachable now: ${namesOf(lost)}`;
    throw new HoldfastError('too-few-shards', message, { next: `holdfast peer list${stateFlag}` });
  }
  const [contradiction] = contradictions;
  if (contradiction !== undefined) {
    throw new HoldfastError('equivocation', clean(contradiction.text), {
      next: `look at what it has done, then put it out: holdfast peer remove ${clean(contradiction.writer)}${stateFlag}`,
    });
  }
  const unsafe = datasets.filter(
    ({ restorable, isShredded }) => restorable?.state !== 'committed' && isShredded !== true,
  );
  if (unsafe.length > 0) {
    const message = `no snapshot is as safe as the policy asks: ${namesOf(unsafe)}`;
    throw new HoldfastError('below-policy', message, {
      next: `bring the missing sites up, then: holdfast backup${stateFlag}`,
    });
  }
}

/** How this host's reading back goes. */
async function printScrub({ output }: CliContext, { scrub }: StatusReport): Promise<void> {
  if (scrub === undefined || scrub.storedShards === 0) return;
  const { share, oldestMs = 0, damaged, storedShards } = scrub;
  const found = damaged === 0 ? '' : `; ${counted(damaged, 'damaged shard')} found so far`;
  await output.print(
    `Reading back ${counted(storedShards, 'shard')} stored here: ${Math.floor(share * 100)} % of this round;` +
      ` none unread for more than ${formatSpan(oldestMs)}${found}.`,
  );
}

async function printJson(
  { output }: CliContext,
  status: StatusReport,
  peers: PeerReport[],
): Promise<void> {
  for (const dataset of status.datasets) await output.json(message('dataset', dataset));
  for (const peer of peers) await output.json(message('peer', peer));
  for (const warning of status.warnings) await output.json(message('warning', { text: warning }));
  const { agent, sites, policy, coordinator, scrub, expulsion } = status;
  const here = { ...(scrub && { scrub }), ...(expulsion && { expulsion }) };
  await output.json(message('summary', { agent, sites, policy, coordinator, ...here }));
}

async function printDatasets(
  { output, stateFlag, nowMs }: CliContext,
  status: StatusReport,
): Promise<void> {
  if (status.datasets.length === 0) {
    await output.print(
      'Nothing is protected yet: there is no dataset.',
      `next: holdfast backup PATH${stateFlag}`,
    );
    return;
  }
  await output.table(
    [
      { title: 'DATASET' },
      { title: 'RESTORABLE NOW' },
      { title: 'AGE' },
      { title: 'FROM SITES' },
      { title: 'MORE SITES MAY FAIL' },
      { title: 'SIZE', align: 'right' },
      { title: 'SNAPSHOTS', align: 'right' },
    ],
    status.datasets.map(datasetRow),
  );
  for (const dataset of status.datasets) {
    await output.print(`  ${clean(dataset.name)}: ${clean(dataset.words)}`);
    for (const { words } of dataset.hot ?? []) {
      await output.print(`  ${clean(dataset.name)}: ${clean(words)}`);
    }
    const { oldCode } = dataset;
    if (oldCode !== undefined)
      await output.print(`  ${clean(dataset.name)}: ${codeWords(oldCode)}`);
    const drill = drillWords(dataset.drill, nowMs());
    if (drill !== undefined) await output.print(`  ${clean(dataset.name)}: ${drill}`);
    if (dataset.pending !== undefined) {
      const { snapshot, state, timeMs, missing } = dataset.pending;
      const waits = missing.length === 0 ? '' : `, waits for ${clean(missing.join(', '))}`;
      const line = `snapshot ${snapshot.slice(0, 8)} of ${formatTime(timeMs)} is only ${state}${waits}`;
      await output.print(output.style(`  ${clean(dataset.name)}: ${line}`, 'yellow'));
    }
  }
}

/** What the cluster has outgrown. */
function codeWords(oldCode: NonNullable<DatasetStatus['oldCode']>): string {
  const { bytes, ofBytes, reason, stays } = oldCode;
  const what = `${formatSize(bytes)} of ${formatSize(ofBytes)} has an older code (${clean(reason)})`;
  return `${what}: ${stays === undefined ? 'the next backups make it anew' : clean(stays)}`;
}

/** The last rehearsal of a restore, and what it has measured. */
function drillWords(drill: DatasetStatus['drill'], nowMs: number): string | undefined {
  if (drill === undefined) return undefined;
  const { last, objectives, state } = drill;
  if (last === undefined) return 'never drilled: nobody knows how long a restore takes';
  const ago = `last drill ${formatSpan(nowMs - last.timeMs)} ago`;
  const due = state === 'overdue' ? ', OVERDUE' : '';
  const { outcome, rtoMs, rpoMs, isRtoReckoned } = last;
  const rto = againstTarget(rtoMs, objectives.rtoMs, isRtoReckoned);
  const rpo = againstTarget(rpoMs, objectives.rpoMs);
  return `${ago}${due}: ${outcomeWords(outcome)}; RTO ${rto}; RPO ${rpo}`;
}

function datasetRow(dataset: DatasetStatus): Cell[] {
  const { name, restorable, snapshots, isShredded } = dataset;
  const no: Cell =
    isShredded === true ? { text: 'shredded', style: 'yellow' } : { text: 'NO', style: 'red' };
  if (restorable === undefined) return [name, no, 'never', '-', '-', '-', String(snapshots)];
  const { isRestorableNow, sites, sitesMayFail } = restorable;
  const yes: Cell =
    restorable.state === 'committed'
      ? { text: 'yes', style: 'green' }
      : { text: 'yes, below policy', style: 'yellow' };
  return [
    name,
    isRestorableNow ? yes : no,
    formatSpan(restorable.ageMs),
    sites.length === 0 ? 'none' : sites.join(', '),
    mayFail(sitesMayFail),
    formatSize(restorable.bytes),
    String(snapshots),
  ];
}

function mayFail(count: number): Cell {
  if (count < 0) return { text: 'already too many', style: 'red' };
  if (count === 0) return { text: 'none', style: 'yellow' };
  return `any ${count}`;
}

async function printPeers(
  context: CliContext,
  status: StatusReport,
  peers: readonly PeerReport[],
): Promise<void> {
  const { output } = context;
  const { agent, policy, sites } = status;
  const reachable = sites.filter((site) => site.reachable > 0).length;
  await output.print(
    '',
    `Cluster ${clean(agent.clusterName)} (${agent.clusterId.slice(0, 8)}): ` +
      `${counted(sites.length, 'site')}, ${reachable} reachable; policy: ${clean(policy.words)}.`,
    coordinatorLine(output, status.coordinator),
  );
  await output.table(
    [
      { title: 'PEER' },
      { title: 'SITE' },
      { title: 'STATE' },
      { title: 'PATH' },
      { title: 'LAG', align: 'right' },
      { title: 'FREE', align: 'right' },
      { title: 'SHARDS', align: 'right' },
      { title: 'LAST SEEN' },
    ],
    peers.map((peer) => [
      peer.name,
      peer.site,
      stateCell(peer.state),
      peer.path,
      peer.lag === undefined ? '?' : String(peer.lag),
      peer.freeBytes === undefined ? '?' : formatSize(peer.freeBytes),
      peer.shards === undefined ? '?' : String(peer.shards),
      lastSeen(peer, context.nowMs()),
    ]),
  );
}

/** Without a quorum backups and restores go on: only decisions wait. */
function coordinatorLine(
  output: CliContext['output'],
  { leader, hasQuorum, quorum, voters, votersReachable, missing }: StatusReport['coordinator'],
): string {
  const who = clean(leader ?? 'nobody');
  const count = `${votersReachable} of ${counted(voters, 'voter')} reachable, ${quorum} needed`;
  if (hasQuorum) return `Coordinator: ${who}; quorum: yes (${count}).`;
  const lack = missing.length === 0 ? '' : `; missing: ${clean(missing.join(', '))}`;
  return `Coordinator: ${who}; quorum: ${output.style('NO', 'red')} (${count}${lack}).`;
}

/** How well a peer can be reached, in colour. */
export function stateCell(state: PeerReport['state']): Cell {
  if (state === 'self') return 'this host';
  return { text: state, style: state === 'connected' ? 'green' : 'red' };
}

/** How long ago a peer was last heard. */
export function lastSeen({ state, lastSeenMs }: PeerReport, nowMs: number): string {
  if (state !== 'unreachable') return 'now';
  return lastSeenMs === undefined ? 'never' : `${formatSpan(nowMs - lastSeenMs)} ago`;
}

async function printWarnings(
  { output, stateFlag }: CliContext,
  { warnings }: StatusReport,
): Promise<void> {
  if (warnings.length === 0) return;
  await output.print('', output.style('Warnings', 'bold'));
  for (const warning of warnings) {
    const lines = withStateFlag(warning, stateFlag).split('\n').map(clean);
    await output.print(`  ${output.style('!', 'yellow')} ${lines.join('\n    ')}`);
  }
}
