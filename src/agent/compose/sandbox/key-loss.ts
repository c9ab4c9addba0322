import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { criterion, type Scenario, seconds, sinceNow } from './scenario.ts';

const custodians = ['ada', 'ben', 'cleo'];

/** The recovery kit is gone, and somebody else may have it: shares open the backups, and a new kit takes its place. */
export function keyLoss(): Scenario {
  return async function* (sandbox) {
    const { processes, founder, root } = sandbox;
    const shareDir = join(root, 'shares');
    const named = custodians.flatMap((name) => ['--custodian', name]);
    const split = ['key', 'split', '--threshold', '2', ...named];
    await processes.quiet(founder, [...split, '--kit', processes.kit, '-o', shareDir, '--json']);
    const shares = readdirSync(shareDir).map((name) => join(shareDir, name));
    const stolen = join(root, 'stolen-kit.txt');
    copyFileSync(processes.kit, stolen);
    rmSync(processes.kit);
    yield `The recovery kit is gone. ${custodians.length} custodians have shares of it, two of which are to be enough.`;
    const elapsed = sinceNow();
    const two = shares.slice(0, 2).flatMap((share) => ['--share', share]);
    const one = await processes.run('blank', ['key', 'combine', shares[0] ?? '', '--json']);
    const restored = await sandbox.rehearse(founder, { open: two });
    const recoverMs = elapsed();
    yield `Two shares have restored everything after ${seconds(recoverMs)}. Making a new kit, so that the old one opens nothing.`;
    const combined = join(root, 'combined-kit.txt');
    const fresh = join(root, 'new-kit.txt');
    await processes.quiet(founder, ['key', 'combine', ...shares.slice(0, 2), '-o', combined]);
    await processes.quiet(founder, ['key', 'kit', '--kit', combined, '-o', fresh, '--json']);
    const isRefused = async (): Promise<boolean> => (await openedWith(stolen)) === 12;
    const openedWith = async (kit: string): Promise<number> =>
      (
        await processes.run('blank', [
          ...['ls', 'latest', '--kit', kit, '--json'],
          ...['--peer', sandbox.network.addressOf(founder)],
        ])
      ).code;
    await processes.until('the old kit is refused', 60_000, isRefused);
    const containMs = elapsed();
    const freshCode = await openedWith(fresh);
    return {
      times: { containMs, recoverMs },
      criteria: [
        criterion('one share alone', one.code !== 0, 'opens nothing'),
        criterion('the lost kit', true, `opens nothing more after ${seconds(containMs)}`),
        criterion('the new kit', freshCode === 0, freshCode === 0 ? 'opens' : 'opens nothing'),
      ],
      restored,
    };
  };
}
