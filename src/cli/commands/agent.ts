import type { Command } from 'commander';
import type { Register } from '../action.ts';
import { rateArgument } from './limit.ts';

type AgentFlags = { limitUpload?: number; limitDownload?: number; cold?: string };

/** The daemon. */
export function addAgent(program: Command, register: Register): void {
  const command = program
    .command('agent')
    .description('Run the agent of this host until it is told to stop.')
    .option('--limit-upload <rate>', 'bytes a second, such as 2MiB, or "none"', rateArgument)
    .option('--limit-download <rate>', 'likewise', rateArgument)
    .option(
      '--cold <store>',
      'where old shards go: s3://BUCKET/PREFIX or a directory (cold.store)',
    );
  register<AgentFlags>(
    command,
    async ({ backend, configFile, isVerbose, output, signal, stateDir }, { options }) => {
      const logLevel = isVerbose ? 'debug' : output.isQuiet ? 'warn' : undefined;
      const bandwidth = {
        ...(options.limitUpload !== undefined && { upload: options.limitUpload }),
        ...(options.limitDownload !== undefined && { download: options.limitDownload }),
      };
      await backend.runAgent(
        {
          stateDir,
          ...(configFile !== undefined && { configFile }),
          ...(logLevel !== undefined && { logLevel }),
          ...(Object.keys(bandwidth).length > 0 && { bandwidth }),
          ...(options.cold !== undefined && { cold: options.cold }),
        },
        { signal },
      );
    },
    { stopsInOrder: true },
  );
}
