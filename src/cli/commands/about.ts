import { Argument, type Command } from 'commander';
import { version } from '../../agent/version.ts';
import type { Register } from '../action.ts';
import { completionScript, type Shell, shells } from '../completion.ts';
import { message } from '../json-fields.ts';

/** version, completion. */
export function addAbout(program: Command, register: Register): void {
  const versionCommand = program.command('version').description('Show the version.');
  register(versionCommand, async ({ output }) => {
    const facts = {
      version,
      nodeVersion: process.versions.node,
      platform: process.platform,
      arch: process.arch,
    };
    if (output.isJson) await output.json(message('version', facts));
    else {
      const { nodeVersion, platform, arch } = facts;
      await output.print(`holdfast ${version} (node ${nodeVersion}, ${platform} ${arch})`);
    }
  });
  const completionCommand = program
    .command('completion')
    .description('Print a completion script for a shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells));
  register(completionCommand, async ({ output }, { args }) => {
    await output.print(completionScript(program, args[0] as Shell));
  });
}
