import { beforeEach, describe, expect, test } from 'vitest';
import { publicKeyOf } from '../../../../src/core/crypto/signature.ts';
import type { ErrorCode } from '../../../../src/core/errors.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import type { StatementBody } from '../../../../src/core/format/statement.ts';
import { type AgentKey, idBytes, idOf, type PeerKey } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { openStatement } from '../../../../src/core/protocol/opened-statement.ts';
import { Roster } from '../../../../src/core/protocol/roster.ts';
import {
  SampleCluster,
  sampleAgent,
  sampleDataset,
  sampleManifest,
  secretOf,
  startMs,
} from '../../../support/sample-cluster.ts';

let cluster: SampleCluster;
let roster: Roster;

beforeEach(() => {
  cluster = new SampleCluster();
  roster = new Roster(cluster.genesis, cluster.id);
});

type SignOptions = Parameters<SampleCluster['sign']>[2];

function say(secret: Uint8Array, body: StatementBody, options?: SignOptions): void {
  const { envelope } = cluster.sign(secret, body, options);
  const { statement, signers } = openStatement(envelope, cluster.id);
  roster.apply(statement, signers);
}

function refusalOf(act: () => void): ErrorCode | undefined {
  const revision = roster.revision;
  try {
    act();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    expect(roster.revision).toBe(revision);
    return codeOf(error);
  }
  return undefined;
}

function admit(agent: ReturnType<typeof sampleAgent>): void {
  say(cluster.operatorSecret, cluster.invite(agent));
  say(cluster.founder.statementSecret, cluster.admission(agent));
}

const bergen = sampleAgent('bergen');
const turku = sampleAgent('turku');

describe('membership', () => {
  test('the founder is a member from the beginning', () => {
    expect(roster.members().map(({ name }) => name)).toEqual(['oslo-host']);
    expect(roster.memberByPeer(cluster.founder.peerKey)?.agentKey).toBe(cluster.founder.agentKey);
    expect(roster.policy.surviveSites).toBe(1);
  });

  test('an admission makes a member with its site, region and roles', () => {
    admit(bergen);
    const member = roster.memberByName('bergen-host');
    expect(member).toMatchObject({ site: 'bergen', region: 'eu', peerKey: bergen.peerKey });
    expect([member.hasRole('storage'), member.hasRole('auditor')]).toEqual([true, false]);
    expect(roster.sites().map(({ site }) => site)).toEqual(['bergen', 'oslo']);
  });

  test('members are found by name and by the beginning of a key', () => {
    admit(bergen);
    expect(roster.memberByName(bergen.peerKey.slice(0, 8)).name).toBe('bergen-host');
    expect(roster.memberByName(bergen.agentKey.slice(0, 8)).name).toBe('bergen-host');
    expect(refusalOf(() => roster.memberByName('nobody'))).toBe('not-found');
    expect(refusalOf(() => roster.memberByName(bergen.peerKey.slice(0, 3)))).toBe('not-found');
  });

  test('the newest address of a member counts', () => {
    const { statementSecret, agentKey } = cluster.founder;
    say(statementSecret, { kind: 'address', multiaddrs: ['/ip4/192.0.2.1/tcp/1'], version: '1' });
    say(statementSecret, { kind: 'address', multiaddrs: ['/ip4/192.0.2.2/tcp/1'], version: '2' });
    expect(roster.member(agentKey)).toMatchObject({
      addresses: ['/ip4/192.0.2.2/tcp/1'],
      version: '2',
    });
  });

  test('connections are for members, open invites and the recovery kit', () => {
    const invite = cluster.invite(bergen);
    expect(roster.mayConnect(invite.inviteKey, startMs)).toBeUndefined();
    say(cluster.operatorSecret, invite);
    expect(roster.mayConnect(invite.inviteKey, startMs)).toBe('invite');
    expect(roster.mayConnect(invite.inviteKey, invite.notAfterMs + 1)).toBeUndefined();
    expect(roster.mayConnect(bergen.peerKey, startMs)).toBeUndefined();
    say(cluster.founder.statementSecret, cluster.admission(bergen));
    expect(roster.mayConnect(bergen.peerKey, startMs)).toBe('member');
    expect(roster.mayConnect(cluster.recoveryKey, startMs)).toBe('recovery');
    expect(roster.mayConnect(turku.peerKey, startMs)).toBeUndefined();
  });

  test('an invite is open until it is used or ends', () => {
    const invite = cluster.invite(bergen);
    say(cluster.operatorSecret, invite);
    expect(roster.openInvites(startMs)).toHaveLength(1);
    expect(roster.openInvites(invite.notAfterMs + 1)).toHaveLength(0);
    say(cluster.founder.statementSecret, cluster.admission(bergen));
    expect(roster.openInvites(startMs)).toHaveLength(0);
  });
});

describe('authority', () => {
  test('a statement needs the signature of its writer', () => {
    const { statement } = cluster.sign(cluster.operatorSecret, cluster.invite(bergen));
    const others = [idBytes(cluster.founder.agentKey)];
    expect(refusalOf(() => roster.apply(statement, others))).toBe('bad-signature');
  });

  test('nobody unknown may write', () => {
    const body: StatementBody = { kind: 'address', multiaddrs: [], version: '1' };
    expect(refusalOf(() => say(bergen.statementSecret, body))).toBe('unknown-writer');
  });

  test('only operators invite', () => {
    const invite = cluster.invite(bergen);
    expect(refusalOf(() => say(cluster.founder.statementSecret, invite))).toBe('not-permitted');
  });

  test('as many operators must sign an invite as the genesis demands', () => {
    const secrets = [cluster.operatorSecret, secretOf('second operator')];
    const operators = secrets.map((secret, i) => ({
      name: `operator ${i}`,
      key: idOf<AgentKey>(publicKeyOf(secret)),
      recipient: '',
    }));
    cluster = new SampleCluster('two', { operators, operatorThreshold: 2 });
    roster = new Roster(cluster.genesis, cluster.id);
    const invite = cluster.invite(bergen);
    expect(refusalOf(() => say(cluster.operatorSecret, invite))).toBe('not-permitted');
    say(cluster.operatorSecret, invite, { secrets });
    expect(roster.openInvites(startMs)).toHaveLength(1);
  });

  test('operators write nothing but invites', () => {
    const body: StatementBody = { kind: 'address', multiaddrs: [], version: '1' };
    expect(refusalOf(() => say(cluster.operatorSecret, body))).toBe('not-permitted');
  });

  test('an invite lives at most a day', () => {
    const tooLong = cluster.invite(bergen, { notAfterMs: startMs + limits.inviteTtlMaxMs + 1 });
    expect(refusalOf(() => say(cluster.operatorSecret, tooLong))).toBe('not-permitted');
    const ended = cluster.invite(bergen, { notAfterMs: startMs });
    expect(refusalOf(() => say(cluster.operatorSecret, ended))).toBe('not-permitted');
    const longest = cluster.invite(bergen, { notAfterMs: startMs + limits.inviteTtlMaxMs });
    expect(refusalOf(() => say(cluster.operatorSecret, longest))).toBeUndefined();
  });

  test('datasets need the role source, receipts the role storage', () => {
    const keeper = sampleAgent('lund', { name: 'keeper', roles: ['storage'] });
    const writer = sampleAgent('lund', { name: 'writer', roles: ['source'] });
    admit(keeper);
    admit(writer);
    const dataset = sampleDataset('home');
    const receipt: StatementBody = {
      kind: 'receipt',
      manifest: idOf(new Uint8Array(32).fill(1)),
      holdings: [],
      freeBytes: 0,
      shardCount: 0,
    };
    expect(refusalOf(() => say(keeper.statementSecret, dataset))).toBe('not-permitted');
    expect(refusalOf(() => say(writer.statementSecret, receipt))).toBe('not-permitted');
    expect(refusalOf(() => say(writer.statementSecret, dataset))).toBeUndefined();
    expect(refusalOf(() => say(keeper.statementSecret, receipt))).toBeUndefined();
  });
});

describe('admission', () => {
  const admission = (change: Parameters<SampleCluster['admission']>[1]) => () =>
    say(cluster.founder.statementSecret, cluster.admission(bergen, change));

  test('needs an invite', () => {
    expect(refusalOf(admission({}))).toBe('invite-unknown');
  });

  test('is good for one agent', () => {
    say(cluster.operatorSecret, cluster.invite(bergen));
    admission({})();
    const again = cluster.admission(turku, {
      code: cluster.codeSecret(bergen),
      descriptor: { site: 'bergen' },
    });
    expect(refusalOf(() => say(cluster.founder.statementSecret, again))).toBe('invite-used');
  });

  test('is no longer possible when the invite has ended', () => {
    const invite = cluster.invite(bergen);
    say(cluster.operatorSecret, invite);
    const late = { timeMs: invite.notAfterMs + 1 };
    const body = cluster.admission(bergen);
    const { statementSecret } = cluster.founder;
    expect(refusalOf(() => say(statementSecret, body, late))).toBe('invite-expired');
  });

  test('is said by the issuer that the invite names', () => {
    admit(turku);
    say(cluster.operatorSecret, cluster.invite(bergen));
    const body = cluster.admission(bergen);
    expect(refusalOf(() => say(turku.statementSecret, body))).toBe('not-permitted');
  });

  test.each([
    ['site', { site: 'lund' }],
    ['region', { region: 'us' }],
    ['roles', { roles: ['source', 'storage', 'auditor'] as const }],
    ['fewer roles', { roles: ['source'] as const }],
  ])('refuses another %s than the invite names', (_, descriptor) => {
    say(cluster.operatorSecret, cluster.invite(bergen));
    expect(refusalOf(admission({ descriptor }))).toBe('not-permitted');
  });

  test('needs the signatures of the invite key and of the agent', () => {
    say(cluster.operatorSecret, cluster.invite(bergen));
    const agentSecret = secretOf('somebody');
    expect(refusalOf(admission({ agentSecret }))).toBe('bad-signature');
    const forged = { ...cluster.admission(bergen), inviteSignature: new Uint8Array(64).fill(1) };
    const { statementSecret } = cluster.founder;
    expect(refusalOf(() => say(statementSecret, forged))).toBe('bad-signature');
  });

  test('refuses signatures made for another cluster', () => {
    say(cluster.operatorSecret, cluster.invite(bergen));
    const elsewhere = new SampleCluster('elsewhere').admission(bergen);
    const { statementSecret } = cluster.founder;
    expect(refusalOf(() => say(statementSecret, elsewhere))).toBe('bad-signature');
  });

  test('refuses keys that serve another purpose or are no keys', () => {
    say(cluster.operatorSecret, cluster.invite(bergen));
    const { operatorKey, recoveryKey } = cluster;
    for (const transportKey of [operatorKey, recoveryKey, bergen.agentKey] as string[]) {
      const descriptor = { transportKey: transportKey as PeerKey };
      expect(refusalOf(admission({ descriptor }))).toBe('not-permitted');
    }
    const smallOrder = { transportKey: idOf<PeerKey>(new Uint8Array(32)) };
    expect(refusalOf(admission({ descriptor: smallOrder }))).toBe('not-permitted');
  });
});

describe('objections', () => {
  test('a name, and each key, is given once', () => {
    admit(bergen);
    const named = sampleAgent('turku', { name: 'bergen-host' });
    expect(roster.objection(cluster.admission(named))?.message).toContain('"bergen-host" is taken');
    const keyed = sampleAgent('turku', { transportKey: bergen.peerKey });
    expect(roster.objection(cluster.admission(keyed))?.code).toBe('not-permitted');
    expect(roster.objection(cluster.admission(turku))).toBeUndefined();
  });

  test('a dataset name is given once, and its own source may describe it again', () => {
    say(cluster.founder.statementSecret, sampleDataset('home'));
    const other = sampleDataset('other', { name: 'home' });
    expect(roster.objection(other)?.message).toContain('"home"');
    expect(roster.objection(sampleDataset('home', { keyEpoch: 2 }))).toBeUndefined();
  });

  test('an invite is made once, for an issuer that is a member', () => {
    const invite = cluster.invite(bergen);
    expect(roster.objection(invite)).toBeUndefined();
    expect(roster.objection({ ...invite, issuer: turku.agentKey })?.code).toBe('not-permitted');
    say(cluster.operatorSecret, invite);
    expect(roster.objection(invite)?.code).toBe('not-permitted');
  });

  test('the cluster does not grow beyond its limit', () => {
    const founder = cluster.founder.statementSecret;
    for (let i = 1; i < limits.membersMax; i++) {
      const agent = sampleAgent('bergen', { name: `host-${i}` });
      const statement = (secret: Uint8Array, body: StatementBody, sequence: number) => ({
        writer: idOf<AgentKey>(publicKeyOf(secret)),
        stream: 'cluster',
        sequence,
        previous: new Uint8Array(32),
        timeMs: startMs,
        body,
      });
      const signers = [idBytes(cluster.founder.agentKey), idBytes(cluster.operatorKey)];
      roster.apply(statement(cluster.operatorSecret, cluster.invite(agent), i), signers);
      roster.apply(statement(founder, cluster.admission(agent), i), signers);
    }
    expect(roster.objection(cluster.admission(turku))?.code).toBe('limit-exceeded');
  });
});

describe('statements learnt in different orders', () => {
  /** Two issuers that did not know of each other's admission gave one name and one key away twice. */
  function learnTwice(): [Roster, Roster] {
    const lund = sampleAgent('lund');
    const code = secretOf('rival code');
    const rival = sampleAgent('turku', {
      name: 'bergen-host',
      transportKey: bergen.peerKey,
      statementKey: turku.agentKey,
    });
    const admitRival = cluster.admission(rival, { code, agentSecret: turku.statementSecret });
    const { inviteKey } = admitRival;
    const ground = [
      ...cluster.admit(lund),
      cluster.sign(cluster.operatorSecret, cluster.invite(bergen)).envelope,
      cluster.sign(
        cluster.operatorSecret,
        cluster.invite(rival, { inviteKey, issuer: lund.agentKey }),
      ).envelope,
    ];
    const rivals = [
      cluster.sign(cluster.founder.statementSecret, cluster.admission(bergen)).envelope,
      cluster.sign(lund.statementSecret, admitRival).envelope,
    ];
    return [learn([...ground, ...rivals]), learn([...ground, ...rivals.reverse()])];
  }

  function learn(envelopes: readonly Uint8Array[]): Roster {
    const learnt = new Roster(cluster.genesis, cluster.id);
    for (const envelope of envelopes) {
      const { statement, signers } = openStatement(envelope, cluster.id);
      learnt.apply(statement, signers);
    }
    return learnt;
  }

  test('lead to the same members, whoever was heard first', () => {
    const [one, other] = learnTwice().map((learnt) => ({
      members: learnt.members().map(({ agentKey, name, site }) => ({ agentKey, name, site })),
      byPeer: learnt.memberByPeer(bergen.peerKey)?.agentKey,
    }));
    expect(one?.members).toHaveLength(4);
    expect(one).toEqual(other);
  });

  test('leave a name that was given twice ambiguous', () => {
    for (const learnt of learnTwice()) {
      expect(refusalOf(() => learnt.memberByName('bergen-host'))).toBe('ambiguous');
    }
  });
});

describe('datasets and manifests', () => {
  const home = sampleDataset('home');
  let secret: Uint8Array;

  beforeEach(() => {
    secret = cluster.founder.statementSecret;
    say(secret, home);
  });

  test('a dataset is found by id, name and beginning of the id', () => {
    expect(roster.dataset('home').writer).toBe(cluster.founder.agentKey);
    expect(roster.dataset(home.id).name).toBe('home');
    expect(roster.dataset(home.id.slice(0, 6)).name).toBe('home');
    expect(refusalOf(() => roster.dataset('nothing'))).toBe('not-found');
  });

  test('key epochs of a dataset only grow, and one epoch has one key', () => {
    say(secret, sampleDataset('home', { keyEpoch: 3 }));
    const back = sampleDataset('home', { keyEpoch: 2 });
    expect(refusalOf(() => say(secret, back))).toBe('rollback');
    const swapped = sampleDataset('home', { keyEpoch: 3, recipient: `age1pq1${'p'.repeat(60)}` });
    expect(refusalOf(() => say(secret, swapped))).toBe('rollback');
  });

  test("claiming another's dataset id does not touch the other's dataset", () => {
    admit(bergen);
    say(bergen.statementSecret, sampleDataset('home', { keyEpoch: 9 }));
    const own = roster.datasets().find(({ writer }) => writer === cluster.founder.agentKey);
    expect(own?.keyEpoch).toBe(1);
    expect(refusalOf(() => roster.dataset(home.id))).toBe('ambiguous');
    expect(refusalOf(() => say(secret, sampleManifest(home.id, undefined)))).toBeUndefined();
  });

  test('a manifest belongs to a dataset of its own writer', () => {
    admit(bergen);
    const manifest = sampleManifest(home.id, undefined);
    expect(refusalOf(() => say(bergen.statementSecret, manifest))).toBe('not-found');
    expect(refusalOf(() => say(secret, manifest))).toBeUndefined();
  });

  test('a manifest continues the one before', () => {
    const first = cluster.sign(secret, sampleManifest(home.id, undefined));
    roster.apply(first.statement, [idBytes(cluster.founder.agentKey)]);
    const end = { sequence: 1, hash: first.hash };
    const skipping = sampleManifest(home.id, { ...end, sequence: 2 });
    expect(refusalOf(() => say(secret, skipping, { after: end }))).toBe('bad-encoding');
    const stray = sampleManifest(home.id, { ...end, hash: new Uint8Array(32).fill(5) });
    expect(refusalOf(() => say(secret, stray, { after: end }))).toBe('bad-encoding');
    const next = sampleManifest(home.id, end);
    expect(refusalOf(() => say(secret, next, { after: end }))).toBeUndefined();
  });

  test('epochs of manifests never go back', () => {
    say(secret, sampleDataset('home', { keyEpoch: 2 }));
    const change = { keyEpoch: 2, writerEpoch: 2 };
    const first = cluster.sign(secret, sampleManifest(home.id, undefined, change));
    roster.apply(first.statement, [idBytes(cluster.founder.agentKey)]);
    const after = { sequence: 1, hash: first.hash };
    for (const back of [{ keyEpoch: 1 }, { writerEpoch: 1 }]) {
      const manifest = sampleManifest(home.id, after, { ...change, ...back });
      expect(refusalOf(() => say(secret, manifest, { after }))).toBe('rollback');
    }
  });

  test('a manifest of a key epoch to come waits for the dataset to say so', () => {
    const manifest = sampleManifest(home.id, undefined, { keyEpoch: 2 });
    expect(refusalOf(() => say(secret, manifest, { after: undefined }))).toBe('not-found');
    say(secret, sampleDataset('home', { keyEpoch: 2 }));
    expect(refusalOf(() => say(secret, manifest, { after: undefined }))).toBeUndefined();
  });
});
