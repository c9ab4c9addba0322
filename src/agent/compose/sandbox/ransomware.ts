import { cpSync, renameSync, rmSync } from 'node:fs';
import { encryptMadeUp } from '../../../adapters/sandbox/made-up-files.ts';
import { criterion, type Scenario, seconds, sinceNow } from './scenario.ts';

const seenWithinMs = 120_000;

/** The source is taken over: its files are encrypted, its backup runs on, and its keys are used against the past. */
export function ransomware(): Scenario {
  return async function* (sandbox) {
    const { processes, source, founder, treePath, tree } = sandbox;
    const watcher = processes.api(founder);
    const clean = (await watcher.snapshots({})).at(-1);
    const saved = `${treePath}.as-it-was`;
    renameSync(treePath, saved);
    cpSync(saved, treePath, { recursive: true });
    yield `Somebody has taken ${source} over, and encrypts its ${tree.files.length} files. Its backup runs as every hour.`;
    const elapsed = sinceNow();
    const rpoMs = Math.max(0, Date.now() - (clean?.timeMs ?? 0));
    encryptMadeUp(treePath, tree.files);
    await processes.run(source, sandbox.backupCommand);
    await processes.until('the others see that the snapshot is suspect', seenWithinMs, async () =>
      (await watcher.tripwires()).some(({ state }) => state === 'suspect'),
    );
    const detectMs = elapsed();
    const [suspect] = await watcher.tripwires();
    yield `Seen after ${seconds(detectMs)}: ${suspect?.reasons.join('; ') ?? ''}. Now the attacker tries to be rid of the good snapshot.`;
    const refusals = await attack(sandbox, clean?.id ?? '');
    yield `Putting ${source} out of the cluster.`;
    await processes.quiet(founder, [
      ...['peer', 'remove', source, '--reason', 'drill: taken over', '--yes', '--json'],
    ]);
    await processes.until('the others have put it out', seenWithinMs, async () =>
      (await watcher.peers()).every(({ name }) => name !== source),
    );
    const containMs = elapsed();
    rmSync(treePath, { recursive: true });
    renameSync(saved, treePath);
    const lastClean = suspect?.lastClean?.snapshot ?? '';
    yield `Contained after ${seconds(containMs)}. Restoring the last clean snapshot, ${lastClean.slice(0, 8)}, without ${source}.`;
    const restored = await sandbox.rehearse(founder, { snapshot: lastClean });
    return {
      times: { detectMs, containMs, recoverMs: elapsed(), rpoMs },
      criteria: [
        criterion('the attack was seen', suspect !== undefined, wiresOf(suspect?.wires)),
        criterion(
          'the last clean snapshot',
          lastClean === clean?.id,
          'is the last one from before the attack',
        ),
        ...refusals,
      ],
      restored,
    };
  };
}

function wiresOf(wires: readonly string[] = []): string {
  return `tripwires: ${wires.join(', ')}`;
}

/** What the keys of a source might be used for. */
async function attack({ processes, source }: Parameters<Scenario>[0], snapshot: string) {
  const tries = [
    { what: 'letting the snapshot go', command: ['forget', snapshot, '--yes'] },
    { what: 'weakening the policy', command: ['policy', 'set', '--destructive-delay', '0s'] },
    { what: 'reading the backups', command: ['ls', 'latest'] },
  ];
  const criteria: ReturnType<typeof criterion>[] = [];
  for (const { what, command } of tries) {
    const { code } = await processes.run(source, [...command, '--json']);
    criteria.push(criterion(what, code !== 0, `refused to the source (${code})`));
  }
  return criteria;
}
