import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, minuteMs, secondMs } from '../../../../src/base/units.ts';
import type { ControlBody } from '../../../../src/core/format/control-records.ts';
import {
  ExpiryKeeper,
  type ExpiryKeeperOptions,
} from '../../../../src/services/control/expiry-keeper.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { dbId, KeepingSample } from '../../../support/keeping-sample.ts';
import { type SampleAgent, sampleAgent } from '../../../support/sample-cluster.ts';
import { bergen, turku } from '../../core/protocol/control/sample-control.ts';

let sample: KeepingSample;
let hosts: Host[];

/** One host's reckoning, and its keeper. */
class Host {
  readonly self: SampleAgent;
  readonly log = collectingLog();
  readonly keeper: ExpiryKeeper;
  /** Sequences that a rule keeps here, those that a lock of this host holds, and the time here. */
  readonly kept = new Set<number>([4]);
  readonly locked = new Map<number, number>();
  halted: string | undefined;
  isLeading = false;
  submitted: string[] = [];

  constructor(self: SampleAgent) {
    this.self = self;
    const host = this;
    const control = {
      self: self.agentKey,
      get state() {
        return sample.state;
      },
      get isLeading() {
        return host.isLeading;
      },
      status: () => ({ leader: hosts.find((one) => one.isLeading)?.self.agentKey }),
      submit: async (body: ControlBody) => {
        host.submitted.push(body.kind);
        const reason = sample.control.by(self, body as never);
        return { outcome: reason === 'applied' ? 'applied' : 'void', reason };
      },
    };
    const stream = async () => ({
      ...{ writer: sample.writer, dataset: dbId, haltedBecause: this.halted },
      snapshots: sample.records.map((record) => this.#judged(record.manifest.sequence)),
    });
    this.keeper = new ExpiryKeeper({
      ...{ control, log: this.log, clock: sample.clock, hostClock: sample.hostClock },
      retention: { stream, streams: async () => [await stream()] },
    } as unknown as ExpiryKeeperOptions);
  }

  #judged(sequence: number) {
    return {
      stage: stageNow(sequence),
      lockedUntilMs: this.locked.get(sequence) ?? 0,
      decision: { sequence, isKept: this.kept.has(sequence), reasons: [] },
    };
  }
}

function stageNow(sequence: number): string {
  const fate = sample.state.fates.of(sample.writer, dbId);
  const found = fate?.expiries.find(({ ranges }) =>
    ranges.some(({ first, last }) => first <= sequence && sequence <= last),
  );
  return found?.stage ?? 'live';
}

const stages = (): string[] => sample.records.map(({ manifest }) => stageNow(manifest.sequence));

let [oslo, berg, turk] = [] as unknown as [Host, Host, Host];

beforeEach(async () => {
  sample = new KeepingSample();
  hosts = [sample.control.oslo, bergen, turku].map((agent) => new Host(agent));
  [oslo, berg, turk] = hosts as [Host, Host, Host];
  oslo.isLeading = true;
  for (let i = 0; i < 4; i++) await sample.snapshot([[]]);
  sample.anchor();
});

/** All keepers work for so long. */
async function work(ms: number): Promise<void> {
  const stop = new AbortController();
  const runs = hosts.map(({ keeper }) => keeper.run({ signal: stop.signal }));
  await sample.clock.advance(ms);
  stop.abort();
  await sample.clock.advance(0);
  await Promise.all(runs);
}

describe('what no rule keeps', () => {
  test('is proposed by the leader and begins to expire when another site reckons alike', async () => {
    await work(minuteMs);
    expect(stages()).toEqual(['veto', 'veto', 'veto', 'live']);
    expect(oslo.submitted).toEqual(['expire']);
    expect([...berg.submitted, ...turk.submitted]).toContain('confirm-expiry');
  });

  test('stays when no other site reckons alike, and each says so once', async () => {
    berg.kept.add(2);
    turk.kept.add(3);
    await work(minuteMs);
    expect(stages()).toEqual(['proposed', 'proposed', 'proposed', 'live']);
    expect(turk.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(berg.log.lines[0]?.context).toMatchObject({ sequences: '2' });
  });

  test('is not confirmed by a host next door, which the same owner may have told to', async () => {
    const twin = sampleAgent('oslo', { name: 'oslo-twin' });
    sample.control.admit(twin);
    hosts = [oslo, new Host(twin)];
    await work(minuteMs);
    expect(stages()[0]).toBe('proposed');
    expect(hosts[1]?.submitted).toEqual([]);
  });

  test('stays while nobody leads', async () => {
    oslo.isLeading = false;
    await work(minuteMs);
    expect(hosts.flatMap(({ submitted }) => submitted)).toEqual([]);
  });

  test('is proposed no more often than a few times a week, and looked at all the time', async () => {
    await work(minuteMs);
    oslo.kept.delete(4);
    for (let i = 0; i < 2; i++) await sample.snapshot([[]]);
    sample.anchor();
    await work(10 * minuteMs);
    expect(oslo.submitted).toEqual(['expire']);
    await work((14 * dayMs) / 24);
    expect(oslo.submitted).toEqual(['expire', 'expire']);
  });

  test('is proposed at once where an operator asks for it', async () => {
    expect(await oslo.keeper.propose(dbId)).toEqual([{ dataset: dbId, snapshots: 3 }]);
    oslo.kept.add(1).add(2).add(3);
    expect(await oslo.keeper.propose(undefined)).toEqual([
      { dataset: dbId, snapshots: 0, reason: 'nothing may go now' },
    ]);
  });
});

describe('what stays for now', () => {
  test('is what a lock of the proposing or the confirming host holds, until its very end', async () => {
    oslo.locked.set(1, sample.nowMs + 1);
    berg.locked.set(2, sample.nowMs + 1);
    turk.locked.set(2, sample.nowMs + 1);
    expect(await oslo.keeper.propose(dbId)).toMatchObject([{ snapshots: 2 }]);
    oslo.isLeading = true;
    await work(10 * secondMs);
    expect(stages()).toEqual(['live', 'proposed', 'proposed', 'live']);
    sample.nowMs += 1;
    await work(10 * secondMs);
    expect(await oslo.keeper.propose(dbId)).toMatchObject([{ snapshots: 1 }]);
  });

  test('is the newest anchored snapshot, and everything after it', async () => {
    oslo.kept.clear();
    await sample.snapshot([[]]);
    await oslo.keeper.propose(dbId);
    expect(stages()).toEqual(['proposed', 'proposed', 'proposed', 'live', 'live']);
  });

  test('is everything while the clock of the host is frozen or the time is not known', async () => {
    sample.freeze = { number: 1, reason: 'the clock has jumped', sinceMs: 0 };
    expect(await oslo.keeper.propose(dbId)).toMatchObject([{ snapshots: 0 }]);
    sample.freeze = undefined;
    sample.nowMs = 0;
    expect(await oslo.keeper.propose(dbId)).toMatchObject([{ snapshots: 0 }]);
  });

  test('is a dataset that is halted, and the answer says why', async () => {
    oslo.halted = 'its writer has signed two histories';
    expect(await oslo.keeper.propose(dbId)).toEqual([
      { dataset: dbId, snapshots: 0, reason: 'its writer has signed two histories' },
    ]);
  });

  test('is not confirmed while the confirming host is halted', async () => {
    berg.halted = turk.halted = 'all of it is held: case 12';
    await work(minuteMs);
    expect(stages()[0]).toBe('proposed');
  });
});
