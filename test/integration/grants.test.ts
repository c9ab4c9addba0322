import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromHex } from '../../src/base/bytes.ts';
import type { ClusterId, PeerKey } from '../../src/core/ids.ts';
import { openAs, secretsOf } from '../support/acting-member.ts';
import { Cluster, type Message, messages, type Site, until } from '../support/cluster.ts';

/** Two of three operators approve a restore. The third host stores nothing: whatever it restores comes from others. */
const cluster = new Cluster();
const [origin, store, needy] = ['ams1', 'nyc1', 'sin1'];
const keyFile = (name: string): string => join(cluster.root, `${name}.key`);
const by = (...names: string[]): string[] =>
  names.flatMap((name) => ['--operator-key', keyFile(name)]);
const kit = (): string[] => ['--kit', cluster.kit];
const why = ['--reason', 'the disk has died'];
const source = join(cluster.root, 'source');
const alarms = join(cluster.root, 'alarms.txt');
const secret = randomBytes(4 * 1024 * 1024);
const letter = 'what everybody may know';

beforeAll(async () => {
  mkdirSync(join(source, 'open'), { recursive: true });
  writeFileSync(join(source, 'secret'), secret);
  writeFileSync(join(source, 'open', 'letter'), letter);
  const command = ['/bin/sh', '-c', `echo "$HOLDFAST_ALARM $HOLDFAST_TEXT" >> ${alarms}`];
  for (const site of [origin, store]) cluster.configs[site] = { alerts: { command } };
  const operators: string[] = [];
  for (const name of ['ada', 'bea', 'cle']) {
    const { out } = await cluster.expect(0, ['operator', 'key', '-o', keyFile(name)]);
    operators.push('--operator', `${name}:${out.trim()}`);
  }
  const policy = join(cluster.root, 'policy.json');
  const datasets = [{ match: '*', restore: { approvals: 2 } }];
  writeFileSync(policy, JSON.stringify({ reads: { ungrantedPerDay: '1MiB' }, datasets }));
  await form([...operators, '--threshold', '2', '--policy', policy]);
  await cluster.backup(origin, ['--dataset', 'office', source]);
  await until('the snapshot is known', 30_000, async () => {
    return (await cluster.snapshots(needy)).length === 1;
  });
});

afterAll(() => cluster[Symbol.asyncDispose]());

async function form(founding: string[]): Promise<void> {
  const sites = [origin, store, needy].map((name): Site => ({ name, region: 'eu' }));
  await cluster.found(sites[0] as Site, { surviveSites: 1, founding });
  await cluster.start(origin);
  for (const site of sites.slice(1)) {
    const roles = site.name === needy ? ['--role', 'source'] : [];
    const options = [...by('ada', 'bea'), ...roles];
    await cluster.join(site.name, await cluster.invite(site, { through: origin, options }));
    await cluster.start(site.name);
  }
  await cluster.untilConnected();
  await until('the log knows all members', 30_000, async () => {
    const { learners, voters } = await cluster.api(origin).coordinator();
    return learners.length + voters.length === 3;
  });
}

async function ask(what: string, ...more: string[]): Promise<string> {
  const args = ['restore', 'request', what, '--dataset', 'office', ...why, ...more, '--json'];
  const { out } = await cluster.expect(0, args, needy);
  return String((messages(out)[0] as Message).id);
}

async function granted(what: string, ...more: string[]): Promise<string> {
  const id = await ask(what, ...more);
  await cluster.expect(0, ['approve', 'sign', id, ...by('ada')], origin);
  await cluster.expect(0, ['restore', 'grant', id, ...kit(), ...by('bea')], store);
  return id;
}

async function stateOf(id: string): Promise<string | undefined> {
  const all = await cluster.api(needy).restoreGrants();
  return all.find((one) => one.id === id)?.state;
}

const target = (name: string): string => join(cluster.root, 'restored', name);
const use = (id: string, dir: string, what = 'latest'): string[] => {
  return ['restore', what, '--grant', id, '-t', target(dir)];
};

async function audited(site: string, text: RegExp): Promise<boolean> {
  const { out } = await cluster.expect(0, ['audit', 'show', '--json'], site);
  return text.test(out);
}

describe('a restore grant', () => {
  it('opens what was asked for, once, when two operators have approved it', async () => {
    const id = await ask('latest');
    await cluster.expect(24, use(id, 'early'), needy);
    await cluster.expect(24, ['restore', 'grant', id, ...kit(), ...by('ada')], store);
    expect(await stateOf(id)).toBe('requested');
    await cluster.expect(24, use(id, 'early'), needy);
    await cluster.expect(0, ['restore', 'grant', id, ...kit(), ...by('cle')], store);
    await cluster.expect(0, use(id, 'all'), needy);
    const restored = readFileSync(join(target('all'), source, 'secret'));
    expect(restored.equals(secret)).toBe(true);
    expect(await stateOf(id)).toBe('used');
    const again = await cluster.expect(24, use(id, 'again'), needy);
    expect(again.err).toContain('opens nothing more: it is used');
    expect(existsSync(target('again'))).toBe(false);
    const name = `grant ${id.slice(0, 8)}`;
    expect(await audited(needy, new RegExp(`restored under a grant.*${name}`))).toBe(true);
    const served = new RegExp(`read shards under ${name}`);
    expect((await audited(store, served)) || (await audited(origin, served))).toBe(true);
  });

  it('for a part opens that part', async () => {
    const id = await granted(`latest:${join(source, 'open')}`);
    const beyond = await cluster.expect(24, use(id, 'beyond', `latest:${source}/secret`), needy);
    expect(beyond.err).toContain('alone');
    await cluster.expect(0, use(id, 'part'), needy);
    expect(readFileSync(join(target('part'), 'letter'), 'utf8')).toBe(letter);
    expect(readdirSync(target('part'))).toEqual(['letter']);
  });

  it('opens nothing once its time is over, or an operator has taken it back', async () => {
    const late = await granted('latest', '--for', '2s');
    const revoked = await granted('latest');
    await cluster.expect(0, ['approve', 'deny', revoked, ...why, ...by('cle')], origin);
    const taken = await cluster.expect(24, use(revoked, 'revoked'), needy);
    expect(taken.err).toContain('it is revoked');
    const denied = await ask('latest');
    for (const name of ['ada', 'bea']) {
      await cluster.expect(0, ['approve', 'deny', denied, ...why, ...by(name)], origin);
    }
    const refused = await cluster.expect(24, use(denied, 'denied'), needy);
    expect(refused.err).toContain('is denied: the disk has died');
    await until('it has expired', 30_000, async () => (await stateOf(late)) === 'expired');
    const over = await cluster.expect(24, use(late, 'late'), needy);
    expect(over.err).toContain('it is expired');
    expect(existsSync(target('late')) || existsSync(target('revoked'))).toBe(false);
  });
});

describe('a member that reads in bulk without a grant', () => {
  it('is refused, and people are told', async () => {
    const { clusterId } = await cluster.api(needy).identity();
    const { peerKey, addresses } = await cluster.api(store).identity();
    await cluster.stop(needy);
    await using thief = await openAs(
      secretsOf(cluster.state(needy)).transport,
      clusterId as ClusterId,
    );
    await thief.connect(peerKey as PeerKey, addresses);
    const problems: string[] = [];
    let bytes = 0;
    for (const { pack, index, leaves } of shardsOf(store)) {
      for (let leaf = 0; leaf < leaves; leaf += 16) {
        const request = { pack, index, leaf, count: 16, withHead: false };
        const reply = await thief.pull(peerKey as PeerKey, request).catch((error: Error) => {
          problems.push(error.message);
          return { bytes: new Uint8Array() };
        });
        bytes += reply.bytes.length;
      }
    }
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(1024 * 1024);
    expect(problems.join()).toContain('without a grant');
    await until('people are told', 20_000, async () => {
      return existsSync(alarms) && readFileSync(alarms, 'utf8').includes('bulk-read sin1');
    });
    expect(await audited(store, /bulk-read/)).toBe(true);
  });

  it('does not keep the recovery kit from restoring, of which people hear', async () => {
    const id = (await cluster.snapshots(store)).at(-1)?.id ?? '';
    const { code } = await cluster.restore(id, target('kit'), store);
    expect(code).toBe(0);
    await until('people are told', 20_000, async () => {
      return readFileSync(alarms, 'utf8').includes('kit-used');
    });
  });
});

type FoundShard = { pack: Uint8Array; index: number; leaves: number };

function shardsOf(site: string): FoundShard[] {
  const all = readdirSync(join(cluster.state(site), 'shards'), { recursive: true }) as string[];
  return all.flatMap((file): FoundShard[] => {
    const [, pack, index] = /([0-9a-f]{64})\.(\d+)$/.exec(file) ?? [];
    const id = pack === undefined ? undefined : fromHex(pack);
    return id === undefined ? [] : [{ pack: id, index: Number(index), leaves: 96 }];
  });
}
