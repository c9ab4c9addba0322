import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ScrubReport } from '../../agent/upkeep-types.ts';
import { formatSize, formatSpan } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { startProgress } from '../start-progress.ts';
import { counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

const pollMs = secondMs / 2;

/** scrub. */
export function addScrub(program: Command, register: Register): void {
  const command = program
    .command('scrub')
    .description('Read back and verify now everything that this host stores.')
    .option('--show', 'only show how far reading back has come; begin nothing');
  register<{ show?: true }>(command, async (context, { options }) => {
    const agent = context.backend.control(context.stateDir);
    if (options.show === true) return report(context, await agent.scrub({ isNow: false }));
    const before = await agent.scrub({ isNow: false });
    await report(context, await follow(context, before), before.damaged);
  });
}

/** Interrupting ends the showing; the agent reads on. */
async function follow(context: CliContext, { damaged }: ScrubReport): Promise<ScrubReport> {
  const agent = context.backend.control(context.stateDir);
  const progress = startProgress(context);
  let scrub = await agent.scrub({ isNow: true });
  while (scrub.isHurried) {
    await progress.update({
      unit: 'bytes',
      done: scrub.bytes,
      total: Math.max(scrub.bytes, scrub.storedBytes),
      current: '',
      json: {
        bytes_done: scrub.bytes,
        total_bytes: scrub.storedBytes,
        damaged: scrub.damaged - damaged,
      },
    });
    await sleep(pollMs, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) {
      throw new HoldfastError('interrupted', 'interrupted; the agent reads on', {
        next: `holdfast scrub --show${context.stateFlag}`,
      });
    }
    scrub = await agent.scrub({ isNow: false });
  }
  await progress.end();
  return scrub;
}

async function report(
  { output, stateFlag }: CliContext,
  scrub: ScrubReport,
  damagedBefore = scrub.damaged,
): Promise<void> {
  const found = scrub.damaged - damagedBefore;
  if (output.isJson) await output.json(message('summary', scrub));
  else {
    const { round, share, shards, bytes, oldestMs, damaged } = scrub;
    const age = oldestMs === undefined ? '' : `; none unread for more than ${formatSpan(oldestMs)}`;
    await output.print(
      `Round ${round}, ${Math.floor(share * 100)} % done: ${counted(shards, 'shard')}, ${formatSize(bytes)} read back${age}.`,
      `  ${counted(damaged, 'damaged shard')} found so far on this host`,
    );
  }
  if (found === 0) return;
  const text = `${counted(found, 'shard')} damaged: put aside, and made anew from others`;
  throw new HoldfastError('below-policy', text, { next: `holdfast repair --dry-run${stateFlag}` });
}
