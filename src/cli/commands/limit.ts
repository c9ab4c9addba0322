import { type Command, InvalidArgumentError } from 'commander';
import type { BandwidthReport, DirectionReport } from '../../agent/bandwidth-types.ts';
import { formatSize, parseSize } from '../../base/quantity.ts';
import { limits } from '../../core/limits.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import type { CliContext } from '../world.ts';

type LimitFlags = { upload?: number; download?: number; reset?: true };

/** Bytes a second. A number alone would be KiB to some and bytes to others. */
export function rateArgument(value: string): number {
  if (value === 'none' || value === '0') return 0;
  const rate = /[a-z]$/i.test(value) ? parseSize(value.replace(/\/s$/, '')) : undefined;
  if (rate !== undefined && rate >= limits.rateMin) return rate;
  throw new InvalidArgumentError(
    'Give bytes a second with a unit, 16KiB or more (restic\'s 512 is 512KiB), or "none".',
  );
}

/** limit. */
export function addLimit(program: Command, register: Register): void {
  const command = program
    .command('limit')
    .description('Show what this host moves and may move; change the limits until its agent stops.')
    .option('--upload <rate>', 'bytes a second, such as 2MiB, or "none"', rateArgument)
    .option('--download <rate>', 'likewise', rateArgument)
    .option('--reset', 'the configuration counts again');
  register<LimitFlags>(command, async (context, { options }) => {
    const agent = context.backend.control(context.stateDir);
    const { reset, upload, download } = options;
    const wish = {
      ...(upload !== undefined && { upload }),
      ...(download !== undefined && { download }),
    };
    if (reset === true) await agent.limitBandwidth({});
    const isWish = Object.keys(wish).length > 0;
    const report = isWish ? await agent.limitBandwidth(wish) : await agent.bandwidth();
    if (context.output.isJson) await context.output.json(message('bandwidth', report));
    else await print(context, report);
  });
}

async function print({ output }: CliContext, report: BandwidthReport): Promise<void> {
  const right = { align: 'right' } as const;
  await output.table(
    [
      { title: 'DIRECTION' },
      { title: 'LIMIT' },
      { title: 'RESTORES', ...right },
      { title: 'REPAIRS', ...right },
      { title: 'BACKUPS', ...right },
      { title: 'MESSAGES', ...right },
    ],
    [row('upload', report.upload), row('download', report.download)],
  );
  const { load, careShare } = report;
  const pace =
    careShare === 1 ? 'at their usual pace' : `slowed to ${Math.round(careShare * 100)} %`;
  await output.print(
    `Load ${load.toFixed(2)} for each processor: reading back and repairs go on ${pace}.`,
  );
}

function row(name: string, { limit, origin, moved }: DirectionReport): string[] {
  const rate = limit === 0 ? 'none' : `${formatSize(limit)}/s`;
  return [
    name,
    origin === 'said' ? `${rate}, until the agent stops` : rate,
    ...[moved.restore, moved.repair, moved.backup, moved.messages].map(formatSize),
  ];
}
