import type { Command } from 'commander';
import type { PeerReport } from '../../agent/api.ts';
import type { RemovedPeer } from '../../agent/trust-types.ts';
import { formatSize } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import type { Cell } from '../table.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { addPeerDrain } from './peer-drain.ts';
import { addPeerRoles } from './peer-roles.ts';
import { lastSeen, stateCell } from './status.ts';

/** peer list, show, ping, thaw, drain, set, remove. */
export function addPeer(program: Command, register: Register): void {
  const peer = program.command('peer').description('Show and reach the members of the cluster.');
  const listCommand = peer.command('list').description('List all members.');
  register(listCommand, list);
  const showCommand = peer
    .command('show')
    .description('Show everything about one member.')
    .argument('<name>', 'its name, or the beginning of its key');
  register(showCommand, (context, { args }) => show(context, args[0] ?? ''));
  const thawCommand = peer
    .command('thaw')
    .description(
      'Let this host delete again, after you have looked at its clock. An operator signs.',
    );
  register<OperatorFlags>(operatorOptions(thawCommand), (context, { options }) =>
    thaw(context, options),
  );
  const pingCommand = peer
    .command('ping')
    .description('Measure the way to one member and back.')
    .argument('<name>', 'its name, or the beginning of its key');
  register(pingCommand, (context, { args }) => ping(context, args[0] ?? ''));
  addPeerDrain(peer, register);
  addPeerRoles(peer, register);
}

async function list(context: CliContext): Promise<void> {
  const { output } = context;
  const agent = context.backend.control(context.stateDir);
  const [peers, removed] = [await agent.peers(), await agent.removedPeers()];
  if (output.isJson) {
    for (const peer of peers) await output.json(message('peer', peer));
    for (const peer of removed) await output.json(message('removed_peer', peer));
    return;
  }
  await output.table(
    [
      { title: 'NAME' },
      { title: 'SITE' },
      { title: 'REGION' },
      { title: 'ROLES' },
      { title: 'STATE' },
      { title: 'PATH' },
      { title: 'LAG', align: 'right' },
      { title: 'FREE', align: 'right' },
      { title: 'SHARDS', align: 'right' },
      { title: 'LAST SEEN' },
      { title: 'HOLDS' },
      { title: 'VERSION' },
    ],
    peers.map((peer) => [
      peer.name,
      peer.site,
      peer.region,
      peer.roles.join(','),
      stateCell(peer.state),
      peer.path,
      unknownOr(peer.lag, String),
      unknownOr(peer.freeBytes, formatSize),
      unknownOr(peer.shards, String),
      lastSeen(peer, context.nowMs()),
      holdsCell(peer),
      peer.version ?? '?',
    ]),
  );
  const relayed = peers.filter(({ path }) => path === 'relayed');
  if (relayed.length > 0) {
    const lines = relayed.map((peer) => clean(`${peer.name}: ${pathWords(peer)}`));
    await output.print('', ...lines);
  }
  if (removed.length > 0) await output.print('', ...removed.map(removedLine));
}

function pathWords({ path, pathReason }: PeerReport): string {
  return pathReason === undefined ? path : `${path}, ${pathReason}`;
}

function removedLine({ name, site, by, reason, index }: RemovedPeer): string {
  const who = by.length === 0 ? 'operators' : by.join(', ');
  return clean(`${name} (${site}) was put out by ${who}, entry ${index}: ${reason}`);
}

async function show(context: CliContext, name: string): Promise<void> {
  const { output } = context;
  const agent = context.backend.control(context.stateDir);
  const peers = await agent.peers();
  const removed = (await agent.removedPeers()).filter((one) => one.name === name);
  if (!peers.some((one) => one.name === name) && removed.length > 0) {
    if (!output.isJson) return output.print(...removed.map(removedLine));
    for (const one of removed) await output.json(message('removed_peer', one));
    return;
  }
  const peer = pick(peers, name);
  if (output.isJson) return output.json(message('peer', peer));
  const facts: (readonly [string, string])[] = [
    ['name', peer.name],
    ['site', peer.site],
    ['region', peer.region],
    ['roles', peer.roles.join(', ')],
    ...(peer.revoked.length === 0
      ? []
      : [['roles taken', peer.revoked.join(', ')] as [string, string]]),
    ['state', peer.state],
    ['path', pathWords(peer)],
    ['address', peer.address],
    ['lag', unknownOr(peer.lag, (lag) => `${lag} statements`)],
    ['free', unknownOr(peer.freeBytes, formatSize)],
    ['shards', unknownOr(peer.shards, String)],
    ['shard bytes', unknownOr(peer.shardBytes, formatSize)],
    ...possessionFacts(peer),
    ['last seen', unknownOr(peer.lastSeenMs, formatTime)],
    ['clock skew', unknownOr(peer.clockSkewMs, (skew) => `${skew} ms`)],
    ['version', peer.version ?? '?'],
    ['peer key', peer.peerKey],
    ['agent key', peer.agentKey],
  ];
  await output.print(...facts.map(([fact, value]) => `${fact.padEnd(12)} ${clean(value)}`));
}

/** Whether it has what it has signed for, as far as questions have shown. */
function holdsCell({ possession }: PeerReport): Cell {
  if (possession === undefined || possession.state === 'self') return '-';
  const { state } = possession;
  if (state === 'failing') return { text: state, style: 'red' };
  return state === 'good' ? { text: state, style: 'green' } : state;
}

function possessionFacts({ possession }: PeerReport): (readonly [string, string])[] {
  if (possession === undefined || possession.state === 'self') return [];
  const { state, passed, failed, silent, caught, unanswered } = possession;
  const words = `${state}: of the leaves asked for, ${passed} shown, ${failed} not, ${silent} unanswered`;
  return [
    ['holds', words],
    ...(caught.length === 0 ? [] : [['does not show', shardsInWords(caught)] as const]),
    ...(unanswered.length === 0 ? [] : [['no answer', shardsInWords(unanswered)] as const]),
  ];
}

function shardsInWords(shards: readonly string[]): string {
  return shards.map((one) => one.replace(/^(.{8})[^/]*\//, '$1 shard ')).join(', ');
}

/** A whole name goes before the beginnings of keys. */
function pick(peers: readonly PeerReport[], name: string): PeerReport {
  const named = peers.filter((peer) => peer.name === name);
  const found =
    named.length > 0
      ? named
      : peers.filter((peer) => [peer.peerKey, peer.agentKey].some((key) => key.startsWith(name)));
  const [first, ...others] = found;
  if (first === undefined) {
    throw new HoldfastError('not-found', `no member is named ${JSON.stringify(name)}`, {
      next: 'holdfast peer list',
    });
  }
  if (others.length > 0) {
    const keys = found.map((peer) => `${peer.name} ${peer.peerKey.slice(0, 12)}`).join(', ');
    throw new HoldfastError('ambiguous', `${JSON.stringify(name)} may be any of: ${keys}`, {
      next: `holdfast peer show ${first.peerKey.slice(0, 12)}`,
    });
  }
  return first;
}

async function thaw(context: CliContext, flags: OperatorFlags): Promise<void> {
  const { output } = context;
  const { self, freeze } = await context.backend.control(context.stateDir).keeping();
  if (freeze === undefined) {
    throw new HoldfastError('not-found', `${self.name} is not frozen: it deletes what may go`, {
      next: `holdfast status${context.stateFlag}`,
    });
  }
  const body = { kind: 'thaw', agent: self.agentKey as AgentKey, freeze: freeze.number } as const;
  const report = await submitAsOperator(context, flags, body);
  await printApplied(context, report, { freeze });
  if (output.isJson) return;
  await output.print(
    `${clean(self.name)} deletes again what may go. It had stopped because ${clean(freeze.reason)}.`,
  );
}

async function ping(context: CliContext, name: string): Promise<void> {
  const { output } = context;
  const answer = await context.backend.control(context.stateDir).ping(name);
  if (output.isJson) return output.json(message('ping', answer));
  await output.print(
    `${clean(answer.peer)}: ${answer.roundTripMs.toFixed(1)} ms, ${clean(answer.path)}`,
  );
}

function unknownOr<T>(value: T | undefined, show: (value: T) => string): string {
  return value === undefined ? '?' : show(value);
}
