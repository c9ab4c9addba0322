import { mkdir, open, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { countArgument } from '../arguments.ts';
import type { ShareFile } from '../backend.ts';
import { type Custodian, custodianArgument, custodiansGiven } from '../custodian.ts';
import { message } from '../json-fields.ts';
import { KitFile, readKit } from '../kit-file.ts';
import { notYet, type OperatorFlags, operatorKeyFiles, operatorOptions } from '../operator.ts';
import { readShares } from '../share-files.ts';
import { shellWord } from '../shell-word.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type SplitFlags = OperatorFlags & {
  threshold?: number;
  shares?: number;
  kit: string;
  custodian?: Custodian[];
  output: string;
};
type CombineFlags = { output?: string };

/** key split, combine, prove. */
export function addKeyEscrow(key: Command, register: Register): void {
  const splitCommand = key
    .command('split')
    .description('Split the recovery kit among custodians. Operators sign what it is split into.')
    .option('--threshold <m>', 'shares that make the kit (default: as founded)', countArgument)
    .option('--shares <n>', 'shares in all (default: one for each custodian)', countArgument)
    .requiredOption('--kit <file>', 'the recovery kit; - reads standard input')
    .option(
      '--custodian <name>',
      'who gets a share, in order; NAME=RECIPIENT or NAME=@FILE seals it with age; repeatable',
      custodianArgument,
    )
    .requiredOption('-o, --output <dir>', 'a new directory for the shares');
  register<SplitFlags>(operatorOptions(splitCommand), (context, { options }) =>
    split(context, options),
  );
  const combineCommand = key
    .command('combine')
    .description('Put shares together: check them, and with -o write the kit that they make.')
    .argument('<shares...>', 'files of shares; - reads one from standard input')
    .option('-o, --output <file>', 'write the kit to this new file; - for standard output');
  register<CombineFlags>(combineCommand, (context, { args, options }) =>
    combine(context, args, options),
  );
  const proveCommand = key
    .command('prove')
    .description('On a host with the role custodian: show that you still have your share.')
    .argument('<share>', 'the file of the share; - reads standard input');
  register(proveCommand, (context, { args }) => prove(context, args[0] ?? ''));
}

async function split(context: CliContext, flags: SplitFlags): Promise<void> {
  const { backend, output, stateDir, cwd, stdin, signal } = context;
  const { threshold, custodians } = await splitOf(context, flags);
  const kit = await readKit(flags.kit === '-' ? '-' : resolve(cwd, flags.kit), { stdin, signal });
  const directory = resolve(cwd, flags.output);
  await makeNew(directory);
  const names: string[] = [];
  try {
    const { command, id } = await backend.splitKit({
      ...{ stateDir, kitText: kit.text, threshold, custodians },
      operatorKeyFiles: operatorKeyFiles(context, flags),
      keep: async (files) => {
        for (const file of files) names.push(await keepShare(directory, file));
      },
    });
    if (command.proposal !== undefined) throw notYet(context, command.proposal);
    if (command.outcome === 'void') {
      throw new HoldfastError(
        'not-permitted',
        `the control log refused it: ${command.reason ?? ''}`,
        {
          next: /sign/.test(command.reason ?? '')
            ? 'let more operators sign: --operator-key FILE --operator-key FILE'
            : 'holdfast key list tells which kit and which split count',
        },
      );
    }
    if (output.isJson) {
      return await output.json(message('split', { ...command, id, threshold, files: names }));
    }
  } catch (error) {
    const isOpen = ['no-quorum', 'approval-needed', 'interrupted', 'timeout'];
    if (!(error instanceof HoldfastError && isOpen.includes(error.code)))
      await rm(directory, { recursive: true, force: true });
    throw error;
  }
  await output.print(
    `The kit is split: any ${threshold} of ${counted(custodians.length, 'share')} make it.`,
    ...names.map((name) => `  ${clean(name)}`),
    `Give each to its custodian, and delete ${clean(flags.output)}. If no single person shall hold the kit, destroy it too.`,
  );
}

/** What was typed, else what the cluster was founded with. @throws HoldfastError usage */
async function splitOf(
  context: CliContext,
  { custodian: given = [], threshold, shares }: SplitFlags,
): Promise<{ threshold: number; custodians: Custodian[] }> {
  const { custody } =
    given.length > 0 ? {} : await context.backend.control(context.stateDir).keys();
  // Another number of shares than there were founders' custodians is another split.
  const founded =
    custody?.custodians.length === (shares ?? custody?.custodians.length) ? custody : undefined;
  const count = shares ?? (given.length > 0 ? given.length : founded?.custodians.length);
  const least = threshold ?? founded?.threshold;
  if (count === undefined || least === undefined || least < 2 || least > count || count > 32) {
    throw new HoldfastError('usage', 'a threshold of 2 to N shares, and N at most 32', {
      next: 'holdfast key split --threshold 2 --shares 3 ...',
    });
  }
  if (founded !== undefined) return { threshold: least, custodians: founded.custodians };
  if (given.length > 0 && given.length !== count) {
    throw new HoldfastError('usage', `${count} shares need ${count} custodians`, {
      next: 'one --custodian NAME for each share',
    });
  }
  const nameless = Array.from({ length: count }, (_, i) => ({ name: `custodian ${i + 1}` }));
  const custodians = given.length > 0 ? await custodiansGiven(context, given) : nameless;
  return { threshold: least, custodians };
}

async function makeNew(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('io-error', `cannot make the directory of the shares: ${reason}`, {
      next: 'name a new directory: -o DIR',
      cause,
    });
  }
}

/** Durable when resolved. @returns its name */
async function keepShare(
  directory: string,
  { share, name, bytes, isSealed }: ShareFile,
): Promise<string> {
  const label = name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  const path = join(directory, `share-${share}-${label}${isSealed ? '.age' : '.txt'}`);
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  return path;
}

async function combine(
  context: CliContext,
  files: readonly string[],
  flags: CombineFlags,
): Promise<void> {
  const { backend, output, cwd } = context;
  const path = flags.output === undefined || flags.output === '-' ? undefined : flags.output;
  await using file = path === undefined ? undefined : await KitFile.create(resolve(cwd, path));
  const { kitText, problems, used, threshold, count, clusterName } = await backend.combineKit(
    await readShares(context, files),
  );
  for (const problem of problems) await output.remark(`not used: ${clean(problem)}`);
  await file?.keep(kitText);
  if (flags.output === '-') return output.print(kitText.trimEnd());
  const facts = { threshold, count, used, problems, ...(file && { kitFile: file.path }) };
  if (output.isJson) return output.json(message('combined', facts));
  const who = used.map(({ share, holder }) => `${share} (${clean(holder)})`).join(', ');
  await output.print(
    `Shares ${who} make the recovery kit of cluster ${clean(clusterName)}.`,
    path === undefined
      ? 'Nothing was written: -o FILE writes it, holdfast restore --share FILE uses it without.'
      : `It is in ${clean(path)}. Delete it when the restore is done.`,
  );
}

async function prove(context: CliContext, file: string): Promise<void> {
  const { backend, output, stateDir } = context;
  const [share] = await readShares(context, [file]);
  const { command, ...report } = await backend.proveShare({ stateDir, text: share?.text ?? '' });
  if (command.outcome === 'void') {
    throw new HoldfastError(
      'not-permitted',
      `the control log refused it: ${command.reason ?? ''}`,
      {
        next: /role custodian/.test(command.reason ?? '')
          ? `operators give this host the role: holdfast peer set HOST --role +custodian${context.stateFlag}`
          : `look which split counts: holdfast key list${context.stateFlag}`,
      },
    );
  }
  if (output.isJson) return output.json(message('share_proved', { ...command, ...report }));
  await output.print(
    `Share ${report.share} of ${clean(report.holder)} is shown to be there; again within a quarter.`,
  );
  if (file !== '-') await output.remark(`to delete this copy: rm ${shellWord(file)}`);
}
