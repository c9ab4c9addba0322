import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { Namespaces } from '../partitions/namespaces.ts';
import { messages, until } from '../support/cluster.ts';
import { Hosts } from './hosts.ts';
import { hubAddress, Networks, type Place } from './networks.ts';

// Two sites behind NAT that can reach each other through a third alone, and a blank machine behind another NAT.
// Needs root, iproute2 and nftables.

const obstacle = Namespaces.obstacle();
if (obstacle !== undefined) {
  console.error(`not run: ${obstacle}`);
  process.exit(1);
}
const startMs = performance.now();
using networks = new Networks(`hn${process.pid}`);
networks.make();
await using hosts = new Hosts(networks);
const source = join(hosts.root, 'source');
const waitMs = 90_000;

function say(what: string): void {
  console.log(`${((performance.now() - startMs) / 1000).toFixed(0).padStart(4)} s  ${what}`);
}

async function peer(from: Place, to: Place) {
  const found = (await hosts.api(from).peers()).find(({ name }) => name === to);
  if (found === undefined) throw new Error(`${from} knows no ${to}`);
  return found;
}

async function untilMet(): Promise<void> {
  for (const [from, to] of [
    ['home', 'office'],
    ['office', 'home'],
  ] as const) {
    await until(`${from} reaches ${to}`, waitMs, async () => {
      return (await peer(from, to)).path === 'relayed';
    });
  }
}

/** A new file more, and its snapshot. */
async function backUp(name: string): Promise<string> {
  writeFileSync(join(source, name), randomBytes(8 * 2 ** 20));
  const { out } = await hosts.at('home', ['backup', source, '--dataset', 'd', '--json']);
  const summary = messages(out).find((one) => one.message_type === 'summary');
  if (summary?.state !== 'committed') throw new Error(`not committed: ${out}`);
  return String(summary.snapshot_id);
}

mkdirSync(source);
hosts.prepare('hub', { listen: [`/ip4/${hubAddress}/tcp/7420`], relay: { serve: true } });
const kit = join(hosts.root, 'kit.txt');
const found = ['init', '--site', 'hub', '--region', 'hub', '--name', 'hub', '--cluster', 'nat'];
await hosts.at('hub', [...found, '--survive-sites', '1', '--kit', kit]);
await hosts.start('hub');
await hosts.join('home');
await hosts.join('office');
say('three hosts have joined, two of them behind NAT');
// Whatever is stored has to pass from one NAT to the other.
await hosts.at('hub', ['peer', 'set', 'hub', '--role=-storage']);
await untilMet();
for (const at of ['home', 'office'] as const) {
  say(`peer list at ${at}:`);
  console.log((await hosts.at(at, ['peer', 'list'])).out);
}

const first = await backUp('a');
say('a backup of 8 MiB is committed at both sites behind NAT');
const heardMs = performance.now();
const second = await backUp('b');
await until('office has heard of the second snapshot', waitMs, async () => {
  return (await hosts.api('office').snapshots({})).some(({ id }) => id === second);
});
say(`office has heard of the next ${Math.round(performance.now() - heardMs)} ms after it began`);

const target = join(hosts.root, 'restored');
const recovery = ['--kit', kit, '--peer', `${hubAddress}:7420`];
await hosts.run('cafe', ['restore', 'latest', '-t', target, ...recovery]);
const differences = await compareTrees(source, join(target, source));
if (differences.length > 0) throw new Error(`restored otherwise: ${differences[0]}`);
say(
  'a blank machine behind a third NAT has restored it with the kit, by the address of the hub alone',
);
rmSync(target, { recursive: true });

await hosts.stop('hub');
await until('home misses office', waitMs, async () => {
  return (await peer('home', 'office')).state === 'unreachable';
});
say('without the relay the two have lost each other');
await hosts.start('hub');
await untilMet();
const third = await backUp('c');
say('with the relay they meet again, and back up');
await until('office has all snapshots', waitMs, async () => {
  const ids = new Set((await hosts.api('office').snapshots({})).map(({ id }) => id));
  return [first, second, third].every((id) => ids.has(id));
});
say('office has every snapshot');
