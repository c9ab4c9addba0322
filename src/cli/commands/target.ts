import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ColdStoreReport, StoresReport } from '../../agent/store-types.ts';
import { formatSize } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { startProgress } from '../start-progress.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { addTargetCheck } from './target-check.ts';

const pollMs = secondMs / 2;

/** Where this host keeps what it holds. */
export function addTarget(program: Command, register: Register): void {
  const target = program
    .command('target')
    .description('The stores of this host: its disk, and where old shards go.');
  const list = target
    .command('list')
    .description('Show what lies where, and what is still to be moved.');
  register(list, async (context) => {
    const agent = context.backend.control(context.stateDir);
    await report(context, await agent.stores({ isNow: false }));
  });
  const move = target
    .command('move')
    .description('Move now what the policy says, without letting others pass.');
  register(move, moveNow);
  addTargetCheck(target, register);
}

/** Interrupting ends the showing; the agent goes on. */
async function moveNow(context: CliContext): Promise<void> {
  const agent = context.backend.control(context.stateDir);
  const before = (await agent.stores({ isNow: false })).cold;
  const progress = startProgress(context);
  let stores = await agent.stores({ isNow: true });
  while (stores.cold?.isMoving === true) {
    const done = moved(stores.cold) - moved(before);
    await progress.update({
      ...{ unit: 'shards', done, current: `${stores.cold.waiting} packs to go` },
      json: { shards_moved: done, packs_waiting: stores.cold.waiting },
    });
    await sleep(pollMs, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) {
      throw new HoldfastError('interrupted', 'interrupted; the agent goes on', {
        next: `holdfast target list${context.stateFlag}`,
      });
    }
    stores = await agent.stores({ isNow: false });
  }
  await progress.end();
  await report(context, stores);
  const problem = stores.cold?.problem;
  if (problem === undefined) return;
  throw new HoldfastError('partial', `not everything was moved: ${problem}`, {
    next: `holdfast target check ${stores.cold?.name ?? 'STORE'}`,
  });
}

function moved(cold: ColdStoreReport | undefined): number {
  return (cold?.movedOut ?? 0) + (cold?.movedBack ?? 0);
}

async function report({ output }: CliContext, stores: StoresReport): Promise<void> {
  if (output.isJson) return output.json(message('summary', stores));
  const { warm, hot, cold, copies } = stores;
  const columns = [
    ...[{ title: 'TIER' }, { title: 'SHARDS', align: 'right' as const }],
    ...[{ title: 'SIZE', align: 'right' as const }, { title: 'WHERE' }],
  ];
  const own = `this host's disk, ${formatSize(warm.freeBytes)} free`;
  const rows = [['warm', String(warm.shards), formatSize(warm.bytes), own]];
  if (hot !== undefined) {
    const where = "full copies on this host's disk";
    rows.unshift(['hot', String(hot.shards), formatSize(hot.bytes), where]);
  }
  if (cold !== undefined) {
    rows.push(['cold', String(cold.shards), formatSize(cold.bytes), cold.name]);
  }
  await output.table(columns, rows);
  await output.print(...copies.map(({ dataset, words }) => `  ${clean(dataset)}: ${clean(words)}`));
  if (cold === undefined) {
    await output.remark('no cold store: set cold.store in the configuration (docs/tiers.md)');
    return;
  }
  const { delayMs, pricePerGiB, movedOut, movedBack, movedBytes, waiting, problem } = cold;
  const price = pricePerGiB === undefined ? '' : `, ${pricePerGiB} a GiB`;
  await output.print(
    `  a read from there takes about ${delayMs} ms${price}`,
    `  moved since the start: ${counted(movedOut, 'shard')} out, ${movedBack} back, ${formatSize(movedBytes)}`,
  );
  if (waiting > 0) await output.print(`  to be moved: ${counted(waiting, 'pack')}`);
  if (problem !== undefined) await output.print(`  last time: ${clean(problem)}`);
}
