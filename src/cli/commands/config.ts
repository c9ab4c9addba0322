import { constants, copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { shellWord } from '../shell-word.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

const example = fileURLToPath(new URL('../../../config.example.json', import.meta.url));

/** config init, config validate, config show. */
export function addConfig(program: Command, register: Register): void {
  const config = program.command('config').description('Write, check and show the configuration.');
  const initCommand = config
    .command('init')
    .description('Write an explained configuration to start from.')
    .argument(
      '[file]',
      'a new file; - is standard output (default: config.json in the state directory)',
    );
  register(initCommand, (context, { args }) => init(context, args[0]));
  const validateCommand = config
    .command('validate')
    .description('Check a configuration.')
    .argument('[file]', 'the file (default: what the agent would load)');
  register(validateCommand, (context, { args }) => validate(context, args[0]));
  const showCommand = config
    .command('show')
    .description('Show the configuration as the agent understands it, defaults included.');
  register(showCommand, show);
}

async function init(context: CliContext, argument: string | undefined): Promise<void> {
  const { configFile, cwd, output, stateDir } = context;
  if (argument === '-') return output.bytes(await readFile(example));
  const file =
    argument === undefined ? (configFile ?? join(stateDir, 'config.json')) : resolve(cwd, argument);
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await copyFile(example, file, constants.COPYFILE_EXCL);
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const reason = error instanceof Error ? error.message : String(error);
    throw new HoldfastError(
      isThere ? 'state-exists' : 'io-error',
      isThere ? `${file} exists already` : `cannot write ${file}: ${reason}`,
      {
        next: isThere
          ? `holdfast config validate ${shellWord(file)}`
          : 'holdfast config init FILE, where you may write',
        cause: error,
      },
    );
  }
  if (output.isJson) await output.json(message('summary', { file }));
  else await output.print(`Wrote ${clean(file)}.`);
  await output.remark(`next: edit it, then: holdfast config validate ${shellWord(file)}`);
}

async function validate(context: CliContext, argument: string | undefined): Promise<void> {
  const { file } = await load(context, argument);
  if (context.output.isJson) {
    await context.output.json(message('summary', { isValid: true, ...(file && { file }) }));
  } else await context.output.print(`${clean(file ?? 'no file: the defaults')}: valid`);
}

async function show(context: CliContext): Promise<void> {
  const { file, config } = await load(context, undefined);
  await context.output.remark(`from ${file ?? 'no file: the defaults'}`);
  if (context.output.isJson) await context.output.json(config);
  else await context.output.print(JSON.stringify(config, null, 2));
}

async function load(
  { backend, configFile, cwd, stateDir }: CliContext,
  argument: string | undefined,
): ReturnType<CliContext['backend']['loadConfig']> {
  const file = argument === undefined ? configFile : resolve(cwd, argument);
  return backend.loadConfig({ stateDir, ...(file !== undefined && { file }) });
}
