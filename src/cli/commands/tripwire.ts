import type { Command } from 'commander';
import type { SuspectReport } from '../../agent/tripwire-types.ts';
import { formatSize } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { StatementHash } from '../../core/ids.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import type { Cell } from '../table.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type ClearFlags = OperatorFlags & { reason: string };

/** tripwire list, show, clear. */
export function addTripwire(program: Command, register: Register): void {
  const tripwire = program
    .command('tripwire')
    .description('Look at snapshots that look like the work of an attacker, and clear them.');
  register(
    tripwire.command('list').description('List suspect snapshots, and those that were cleared.'),
    list,
  );
  const showCommand = tripwire
    .command('show')
    .description('Show what a tripwire has caught, and what to do about it.')
    .argument('<snapshot>', 'the beginning of its id');
  register(showCommand, (context, { args }) => show(context, args[0] ?? ''));
  const clearCommand = tripwire
    .command('clear')
    .description('Say that a suspect snapshot is as it should be. An operator signs it.')
    .argument('<snapshot>', 'the beginning of its id')
    .requiredOption('--reason <text>', 'how you know; it is kept');
  register<ClearFlags>(operatorOptions(clearCommand), (context, { args, options }) =>
    clear(context, args[0] ?? '', options),
  );
}

async function list(context: CliContext): Promise<void> {
  const { output } = context;
  const suspects = await context.backend.control(context.stateDir).tripwires();
  if (output.isJson) {
    for (const suspect of suspects) await output.json(message('suspect', suspect));
    return;
  }
  if (suspects.length === 0) return output.print('No snapshot looks suspect.');
  await output.table(
    [
      { title: 'SNAPSHOT' },
      { title: 'TIME' },
      { title: 'DATASET' },
      { title: 'STATE' },
      { title: 'WIRES' },
      { title: 'LAST CLEAN ONE' },
    ],
    suspects.map((one) => [
      one.snapshot.slice(0, 8),
      formatTime(one.timeMs),
      one.dataset,
      stateCell(one),
      one.wires.join(', '),
      one.lastClean?.snapshot.slice(0, 8) ?? '-',
    ]),
  );
}

function stateCell({ state }: SuspectReport): Cell {
  return state === 'suspect' ? { text: 'SUSPECT', style: 'red' } : state;
}

async function show(context: CliContext, id: string): Promise<void> {
  const { output, stateFlag } = context;
  const one = await find(context, id);
  if (output.isJson) return output.json(message('suspect', one));
  const short = one.snapshot.slice(0, 8);
  const { files, lastClean, clearedBy } = one;
  await output.print(
    `snapshot ${short} of ${clean(one.dataset)} (${clean(one.source)}), ${formatTime(one.timeMs)}: ${one.state}`,
    ...one.reasons.map((reason) => `  ${reason}`),
    `  of ${files.compared} files compared, ${files.changed} changed and ${files.deleted} gone; ${files.new} new; ${formatSize(one.bytesNew)} of new content`,
  );
  if (clearedBy !== undefined) {
    const who = clean(clearedBy.operators.join(', '));
    await output.print(`  cleared by ${who}: ${clean(clearedBy.reason)}`);
    return;
  }
  const name = clean(one.dataset);
  if (lastClean !== undefined) {
    const then = `${lastClean.snapshot.slice(0, 8)} of ${formatTime(lastClean.timeMs)}`;
    await output.print(
      '',
      `The last snapshot from before it is ${then}. It does not expire while this one is suspect.`,
      `what has changed:   holdfast diff ${lastClean.snapshot.slice(0, 8)} ${short} --kit recovery-kit.txt`,
      `get files back:     holdfast restore ${lastClean.snapshot.slice(0, 8)} -t DIR --kit recovery-kit.txt`,
    );
  }
  await output.print(
    `it was no attack:   holdfast tripwire clear ${short} --reason "..."${stateFlag}`,
    `next: look at the host that wrote ${name} before you trust any snapshot made after this one.`,
  );
}

async function clear(context: CliContext, id: string, flags: ClearFlags): Promise<void> {
  const one = await find(context, id);
  const short = one.snapshot.slice(0, 8);
  if (one.state === 'cleared') {
    throw new HoldfastError('failed', `snapshot ${short} was cleared before`, {
      next: `holdfast tripwire show ${short}${context.stateFlag}`,
    });
  }
  const manifest = one.snapshot as StatementHash;
  const report = await submitAsOperator(context, flags, {
    kind: 'clear-suspect',
    manifest,
    reason: flags.reason,
  });
  await printApplied(context, report, { snapshot: manifest });
  if (!context.output.isJson) {
    await context.output.print(`Snapshot ${short} of ${clean(one.dataset)} is no longer suspect.`);
  }
}

/** @throws HoldfastError not-found | ambiguous | usage */
async function find(context: CliContext, id: string): Promise<SuspectReport> {
  const suspects = await context.backend.control(context.stateDir).tripwires();
  const found = suspects.filter(({ snapshot }) => snapshot.startsWith(id.toLowerCase()));
  const [only, second] = found;
  const next = `holdfast tripwire list${context.stateFlag}`;
  if (!/^[0-9a-f]{4,64}$/i.test(id)) {
    const text = `${JSON.stringify(id)} names no snapshot: give 4 or more characters of an id`;
    throw new HoldfastError('usage', text, { next });
  }
  if (only === undefined) {
    throw new HoldfastError('not-found', `no tripwire has marked a snapshot ${clean(id)}`, {
      next,
    });
  }
  if (second !== undefined) {
    const ids = found.map(({ snapshot }) => snapshot.slice(0, 16)).join(', ');
    throw new HoldfastError('ambiguous', `${clean(id)} may be any of ${ids}`, { next });
  }
  return only;
}
