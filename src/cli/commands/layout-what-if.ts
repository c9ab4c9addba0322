import { InvalidArgumentError, Option } from 'commander';
import type { LossReport } from '../../agent/upkeep-types.ts';
import { formatSpan, formatSize } from '../../base/quantity.ts';
import { message } from '../json-fields.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

/** `--what-if "lose ams1,fra1"`. */
export function whatIfOption(): Option {
  return new Option('--what-if <loss>', 'what losing sites would do, as "lose ams1,fra1"')
    .argParser(lostSites)
    .conflicts(['pin', 'auto']);
}

function lostSites(text: string): string[] {
  const sites = /^lose\s+(.+)$/.exec(text.trim())?.[1]?.split(',') ?? [];
  const names = sites.map((site) => site.trim());
  if (names.length === 0 || names.includes('')) {
    throw new InvalidArgumentError('Say which sites would be lost: "lose ams1,fra1".');
  }
  return names;
}

/** What survives, what is lost, and what it takes to be whole again. */
export async function showLoss(context: CliContext, sites: string[]): Promise<void> {
  const { output } = context;
  const report = await context.backend.control(context.stateDir).forecastLoss({ sites });
  if (output.isJson) return output.json(message('loss_forecast', report));
  const { hosts, sitesLeft, silentHosts, datasets } = report;
  await output.print(
    `Without ${clean(report.sites.join(', '))} (${counted(hosts.length, 'host')}), ${counted(sitesLeft.length, 'site')} with storage would be left${sitesLeft.length === 0 ? '' : `: ${clean(sitesLeft.join(', '))}`}.`,
    ...(silentHosts.length === 0
      ? []
      : [`Counted as there, though not reached now: ${clean(silentHosts.join(', '))}.`]),
    '',
  );
  await output.table(
    [{ title: 'DATASET' }, { title: 'SNAPSHOTS LEFT', align: 'right' }, { title: '' }],
    datasets.map((one) => [
      clean(one.name),
      `${one.snapshots - one.lostSnapshots} of ${one.snapshots}`,
      clean(one.words),
    ]),
  );
  const orphans = datasets.filter(({ isSourceLost }) => isSourceLost);
  if (orphans.length > 0) {
    const names = orphans.map(({ name, source }) => `${name} (${source})`).join(', ');
    await output.print(
      '',
      `Their source would be gone, restore them elsewhere: ${clean(names)}`,
      `  next: holdfast plan --help${context.stateFlag}`,
    );
  }
  await output.print('', ...repairLines(report), '', votersLine(report), 'Nothing has changed.');
}

function repairLines({ repair, voters, sitesLeft }: LossReport): string[] {
  const { shards, stuckShards, urgentShards, writtenBytes, readBytes, bytesPerSecond } = repair;
  if (sitesLeft.length === 0) return ['Repair: nothing would be left to make anything from.'];
  if (shards === 0) return ['Repair: nothing would have to be made anew.'];
  const made = shards - stuckShards;
  const lines = [
    `Repair: ${counted(made, 'shard')} to make, ${formatSize(writtenBytes)} to write and ${formatSize(readBytes)} to read,` +
      ` ${repair.seconds === 0 ? 'less than a second' : `${formatSpan(repair.seconds * 1000)} or more`} at ${formatSize(bytesPerSecond)} a second for each host.`,
    `  It begins when the sites have been silent for ${formatSpan(repair.lostAfterMs)}` +
      (urgentShards < made
        ? `; what is not urgent (${counted(made - urgentShards, 'shard')}) waits a day more.`
        : '.'),
  ];
  if (stuckShards > 0) {
    lines.push(`  ${counted(stuckShards, 'shard')} could be made nowhere: no site left has room.`);
  }
  if (!voters.hasQuorum) lines.push('  Not by itself: without a majority nobody is declared lost.');
  return lines;
}

function votersLine({ voters: { count, left, hasQuorum } }: LossReport): string {
  return hasQuorum
    ? `Voters: ${left} of ${count} would be left, a majority.`
    : `Voters: ${left} of ${count} would be left, no majority: restores go on, changes need a decree (holdfast coordinator decree --help).`;
}
