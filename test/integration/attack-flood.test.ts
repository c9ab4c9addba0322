import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KiB, MiB } from '../../src/base/units.ts';
import { manifestStream, type StatementBody } from '../../src/core/format/statement.ts';
import { type DatasetId, idOf, type PeerKey, type StatementHash } from '../../src/core/ids.ts';
import { ask } from '../support/acting-member.ts';
import { Cluster, messages, threeSites, told, until } from '../support/cluster.ts';
import { filesBelow } from '../support/pack-secrets.ts';
import { Thief } from '../support/thief.ts';

/** Only in the long form, `npm run attacks`: it takes minutes. */
const craftedCount = Number(process.env.ATTACK_SNAPSHOTS ?? 0);
const memoryMax = 256 * MiB;
const diskPerSnapshotMax = 8 * KiB;

const cluster = new Cluster();
const [source, peer, other] = ['ams1', 'nyc1', 'sin1'] as const;
let dataset: DatasetId;
let thief: Thief;
let target: PeerKey;

describe.skipIf(craftedCount < 1000)(
  'a stolen source that a lax policy lets sign thousands',
  () => {
    beforeAll(async () => {
      const tree = join(cluster.root, 'source');
      mkdirSync(tree);
      writeFileSync(join(tree, 'file'), 'content');
      await cluster.form(threeSites, { surviveSites: 1 });
      const policy = join(cluster.root, 'policy.json');
      const rule = {
        match: '*',
        retention: { keepLast: 1 },
        lock: { mode: 'compliance', for: '30d' },
      };
      const writers = [{ match: source, budget: { statementsPerDay: 2 * craftedCount } }];
      writeFileSync(policy, JSON.stringify({ datasets: [rule], writers }));
      await cluster.expect(0, ['policy', 'propose', policy], source);
      await cluster.backup(source, [tree]);
      dataset = (await cluster.api(peer).status()).datasets[0]?.id as DatasetId;
      ({ thief, target } = await Thief.ofSite(cluster, source, [other, peer]));
    }, 600_000);

    afterAll(async () => {
      await thief?.[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    });

    it('costs a storage peer bounded memory and disk, and it goes on answering', async () => {
      const before = { memory: memory(), disk: disk() };
      const cpuBefore = cpuSeconds();
      for (let i = 0; i < craftedCount; i++) craft();
      const startMs = performance.now();
      await until('all are taken', 900_000, async () => (await held()) >= craftedCount);
      const seconds = (performance.now() - startMs) / 1000;
      const statusMs = performance.now();
      const status = await cluster.run(['status', '--json'], peer);
      const answeredMs = performance.now() - statusMs;
      const after = { memory: memory(), disk: disk() };
      const perSnapshot = (after.disk - before.disk) / craftedCount;
      console.log(
        [
          `${craftedCount} crafted snapshots taken in ${seconds.toFixed(0)} s`,
          `${(cpuSeconds() - cpuBefore).toFixed(0)} s of CPU at the peer`,
          `VmHWM ${mib(before.memory)} before, ${mib(after.memory)} after`,
          `disk ${mib(before.disk)} before, ${mib(after.disk)} after, ${perSnapshot.toFixed(0)} B each`,
          `status after it: ${answeredMs.toFixed(0)} ms`,
        ].join('\n'),
      );
      expect(after.memory).toBeLessThan(memoryMax);
      expect(perSnapshot).toBeLessThan(diskPerSnapshotMax);
      // The thief's own snapshots may be below policy, which status says by its exit code; an answer it is.
      expect([0, 21, 22], told(status)).toContain(status.code);
      expect(messages(status.out).map(({ message_type }) => message_type)).toContain('summary');
      expect(answeredMs).toBeLessThan(20_000);
      const [judged] = await cluster.api(peer).retention({});
      expect(judged?.snapshots[0], 'the first of its hour stays the first').toMatchObject({
        isKept: true,
      });
    }, 1_200_000);

    function craft(): void {
      const { statement, hash } = thief.newest(manifestStream(dataset));
      const body = statement.body as Extract<StatementBody, { kind: 'manifest' }>;
      thief.sign({
        ...body,
        sequence: statement.sequence + 1,
        previous: idOf<StatementHash>(hash),
      });
    }

    async function held(): Promise<number> {
      const answer = await ask(thief.network, target, { case: 'heads', value: {} }).catch(again);
      if (answer?.case !== 'heads') return 0;
      const mine = answer.value.heads.find(({ stream }) => stream === manifestStream(dataset));
      return Number(mine?.sequence ?? 0);
    }

    /** On a machine that is too busy its connection breaks; whether the peer is alive is seen at the end. */
    async function again(): Promise<undefined> {
      const { addresses } = await cluster.api(peer).identity();
      await thief.network.connect(target, addresses).catch(() => undefined);
    }

    function memory(): number {
      const status = readFileSync(`/proc/${cluster.pid(peer)}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * KiB;
    }

    function cpuSeconds(): number {
      const fields = readFileSync(`/proc/${cluster.pid(peer)}/stat`, 'utf8').split(' ');
      return (Number(fields[13]) + Number(fields[14])) / 100;
    }

    function disk(): number {
      return filesBelow(cluster.state(peer)).reduce((sum, { bytes }) => sum + bytes.length, 0);
    }
  },
);

function mib(bytes: number): string {
  return `${(bytes / MiB).toFixed(1)} MiB`;
}
