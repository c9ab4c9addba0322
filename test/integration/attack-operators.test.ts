import { randomBytes } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProposalReport } from '../../src/agent/trust-types.ts';
import { MiB } from '../../src/base/units.ts';
import { shardHeadMessage } from '../../src/core/format/shard.ts';
import { type ClusterId, type DatasetId, idOf, type PeerKey } from '../../src/core/ids.ts';
import { ask } from '../support/acting-member.ts';
import { Cluster, messages, threeSites, until } from '../support/cluster.ts';
import { auditAt } from '../support/heard.ts';
import { interruptBackup } from '../support/running-backup.ts';
import { samplePack } from '../support/sample-pack.ts';
import { Thief } from '../support/thief.ts';

/**
 * Three operators of whom two must sign, with keys that no host has. What cannot be taken back waits three
 * seconds of log time, in which the third host may stop it.
 */
const cluster = new Cluster();
const [origin, second, auditor] = threeSites.map(({ name }) => name) as [string, string, string];
const keyFile = (name: string): string => join(cluster.root, `${name}.key`);
const by = (...names: string[]): string[] =>
  names.flatMap((name) => ['--operator-key', keyFile(name)]);
const why = ['--reason', 'x'];
let hold = '';

beforeAll(async () => {
  const operators: string[] = [];
  for (const name of ['ada', 'bea', 'cle']) {
    const { out } = await cluster.expect(0, ['operator', 'key', '-o', keyFile(name)]);
    operators.push('--operator', `${name}:${out.trim()}`);
  }
  const policy = join(cluster.root, 'policy.json');
  const rule = { match: '*', lock: { mode: 'governance', for: '30d' } };
  writeFileSync(policy, JSON.stringify({ destructiveDelay: '3s', datasets: [rule] }));
  const founding = [...operators, '--threshold', '2', '--policy', policy];
  await cluster.form(threeSites, { surviveSites: 1, founding, inviting: by('ada', 'bea') });
  await until('three members are known to the log', 120_000, async () => {
    const { learners, voters } = await cluster.api(origin).coordinator();
    return learners.length + voters.length === 3;
  });
  const file = join(cluster.root, 'file');
  writeFileSync(file, 'what shall stay');
  await cluster.backup(origin, ['--dataset', 'home', file]);
  await until('the snapshot is anchored', 120_000, async () => {
    const plan = ['restore', 'plan', 'home', '--to', second, '--dir', join(cluster.root, 'back')];
    return (await cluster.run(plan, origin)).code === 0;
  });
  await cluster.backup(origin, ['--dataset', 'held', file]);
  await cluster.expect(0, ['hold', 'add', '--dataset', 'held', ...why, ...by('ada')], origin);
  hold = (await cluster.api(origin).keeping()).holds[0]?.id ?? '';
  const role = ['peer', 'set', auditor, '--role', '+auditor'];
  await cluster.expect(0, [...role, ...by('ada', 'bea')], origin);
});

afterAll(() => cluster[Symbol.asyncDispose]());

async function newest(at: string): Promise<ProposalReport> {
  const found = (await cluster.api(at).proposals()).at(-1);
  if (found === undefined) throw new Error('nothing was proposed');
  return found;
}

async function proposalOf(kind: string): Promise<ProposalReport> {
  const found = (await cluster.api(second).proposals()).findLast((one) => one.kind === kind);
  if (found === undefined) throw new Error(`no ${kind} was proposed`);
  return found;
}

const commands: [string, string, () => string[]][] = [
  [
    'shred a key epoch',
    'key-destroy',
    () => ['key', 'destroy', 'home', '--epoch', '1', '--including-newer', '--yes'],
  ],
  ['end a hold', 'release', () => ['hold', 'remove', hold]],
  ['end a lock', 'unlock', () => ['unlock', 'latest', '--dataset', 'home']],
  ['put the auditor out', 'expel', () => ['peer', 'remove', auditor, '--yes']],
];
const decisions: [string, string, () => string[]][] = [
  ['take the role of the auditor', 'roles', () => ['peer', 'set', auditor, '--role', '-auditor']],
  ['remove another operator', 'operators', () => ['operator', 'remove', 'cle']],
  ['lower the threshold', 'operators', () => ['operator', 'threshold', '1']],
  ['shorten the delay', 'policy', () => ['policy', 'set', '--destructive-delay', '0s']],
];
const all = [
  ...commands.map(([what, kind, make]) => [what, kind, () => [...make(), ...why]] as const),
  ...decisions,
];

describe('one operator of three', () => {
  it.each(all)('cannot %s alone', async (_, kind, command) => {
    const { err } = await cluster.expect(24, [...command(), ...by('ada')], origin);
    expect(err).toContain('holdfast approve sign');
    const approvals = [{ name: expect.stringMatching(/^ada\b/) }];
    expect(await newest(second)).toMatchObject({ state: 'open', kind, approvals });
  });

  it('is named in the audit log of every host for each attempt', async () => {
    const { out } = await cluster.expect(0, ['audit', 'show', '--json'], second);
    const tried = messages(out).filter(({ action, actor }) => {
      return action === 'propose' && String(actor).includes('operator ada');
    });
    expect(tried.map(({ detail }) => String(detail).split(':')[0])).toEqual(
      all.map(([, kind]) => kind),
    );
  });
});

describe('two operators', () => {
  it('shred nothing that is held', async () => {
    const destroy = ['key', 'destroy', 'held', '--epoch', '1', '--including-newer', '--yes'];
    const { err } = await cluster.expect(24, [...destroy, ...why, ...by('ada', 'bea')], origin);
    expect(err).toContain('it is held: x');
  });

  it('do what cannot be taken back, and not before the delay is over', async () => {
    const { hash } = await proposalOf('release');
    const sign = ['approve', 'sign', hash.slice(0, 12), ...by('bea')];
    const signedMs = performance.now();
    await cluster.expect(0, sign, origin);
    expect(await proposalOf('release')).toMatchObject({ state: 'waiting', lengthMs: 3000 });
    expect((await cluster.api(second).keeping()).holds).toHaveLength(1);
    await until('the delay is over', 120_000, async () => {
      return (await proposalOf('release')).state === 'done';
    });
    expect(performance.now() - signedMs).toBeGreaterThan(3000);
    expect((await cluster.api(second).keeping()).holds).toEqual([]);
  });

  it('are stopped by the auditor, and by no other host', async () => {
    const { hash } = await proposalOf('key-destroy');
    const sign = ['approve', 'sign', hash.slice(0, 12), ...by('bea')];
    await cluster.expect(0, sign, origin);
    const veto = { hash, reason: 'not now' };
    await expect(cluster.api(second).veto(veto)).rejects.toMatchObject({ code: 'not-permitted' });
    expect(await cluster.api(auditor).veto(veto)).toMatchObject({ state: 'vetoed' });
    const { datasets } = await cluster.api(second).keys();
    expect(datasets[0]?.epochs).toMatchObject([{ epoch: 1, record: 'held' }]);
  });

  it('invite a host though they sign at different places', async () => {
    const where = ['--site', 'late', '--region', 'eu', '--json'];
    const { out } = await cluster.expect(24, ['invite', ...where, ...by('ada')], origin);
    const file = join(cluster.root, 'late.code');
    writeFileSync(file, String(messages(out)[0]?.code), { mode: 0o600 });
    const { hash } = await proposalOf('invite');
    await cluster.expect(0, ['approve', 'sign', hash.slice(0, 12), ...by('cle')], second);
    cluster.prepare('late');
    const joining = ['join', '--code-file', file, '--name', 'late', '--listen', '127.0.0.1:0'];
    await until('its issuer has told of it', 60_000, async () => {
      return (await cluster.run(joining, 'late')).code === 0;
    });
  });

  it('can show anybody who has signed which policy, down from the genesis', async () => {
    const { out } = await cluster.expect(0, ['policy', 'log', '--json'], second);
    expect(messages(out)[0]).toMatchObject({ version: 1, is_verified: true });
  });

  it('put a member out in the middle of its backup: every peer cuts it off within five seconds', async () => {
    const large = join(cluster.root, 'large');
    writeFileSync(large, randomBytes(96 * MiB));
    await cluster.api(second).limitBandwidth({ upload: 8 * MiB });
    const peers = [origin, auditor];
    const before = new Map(peers.map((site) => [site, storedMs(site).length]));
    const remove = ['peer', 'remove', second, '--reason', 'stolen', '--yes'];
    const { wasRunning } = await interruptBackup(
      cluster,
      { site: second, paths: [large] },
      {
        isReached: () => peers.every((site) => storedMs(site).length > (before.get(site) ?? 0) + 1),
        act: async () => void (await cluster.expect(0, [...remove, ...by('ada', 'bea')], origin)),
      },
    );
    expect(wasRunning).toBe(true);
    for (const site of peers) {
      const decisions = await auditAt(cluster, site, 'decision');
      const heard = decisions.find(({ action }) => action === 'expel');
      const lastMs = Math.max(...storedMs(site));
      expect(lastMs - (heard?.timeMs ?? 0), `${site} has cut it off`).toBeLessThan(5000);
    }
    const removed = await cluster.api(auditor).removedPeers();
    expect(removed).toMatchObject([{ name: second, reason: 'stolen' }]);
  });

  it('shut a thief out who has its keys and heeds nothing: no peer takes a shard of it', async () => {
    const { clusterId } = await cluster.api(second).identity();
    await cluster.stop(second);
    await using thief = await Thief.take(cluster.state(second), clusterId as ClusterId);
    const [sample] = samplePack({ seed: 1, k: 1, m: 0, packSize: 1024 });
    if (sample === undefined) throw new Error('a pack has a shard');
    const dataset = idOf<DatasetId>(Buffer.alloc(16, 'a'));
    const head = shardHeadMessage({ ...sample.head, writer: thief.agentKey, dataset });
    for (const site of [origin, auditor]) {
      const { peerKey, addresses } = await cluster.api(site).identity();
      const peer = peerKey as PeerKey;
      const connected = thief.network.connect(peer, addresses);
      const offered = connected.then(() =>
        ask(thief.network, peer, { case: 'offer', value: { head } }),
      );
      await expect(offered, site).rejects.toMatchObject({ details: { wasRefused: true } });
    }
  });

  /** When each shard of a site was stored. */
  function storedMs(site: string): number[] {
    const directory = join(cluster.state(site), 'shards');
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    const shards = names.filter((name) => /[0-9a-f]{64}\.\d+$/.test(name));
    return shards.map((name) => statSync(join(directory, name)).mtimeMs);
  }
});
