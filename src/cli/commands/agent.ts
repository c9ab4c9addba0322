import type { Command } from 'commander';
import type { Register } from '../action.ts';

/** The daemon. */
export function addAgent(program: Command, register: Register): void {
  const command = program
    .command('agent')
    .description('Run the agent of this host until it is told to stop.');
  register(
    command,
    async ({ backend, configFile, isVerbose, output, signal, stateDir }) => {
      const logLevel = isVerbose ? 'debug' : output.isQuiet ? 'warn' : undefined;
      await backend.runAgent(
        {
          stateDir,
          ...(configFile !== undefined && { configFile }),
          ...(logLevel !== undefined && { logLevel }),
        },
        { signal },
      );
    },
    { stopsInOrder: true },
  );
}
