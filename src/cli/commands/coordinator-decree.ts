import { readFile, rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { DecreeMember, DecreeReport } from '../../agent/coordinator-decree-types.ts';
import { formatSpan } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { durationArgument, repeatedList } from '../arguments.ts';
import type { DecreeWords } from '../backend.ts';
import { confirm } from '../confirm.ts';
import { message } from '../json-fields.ts';
import { type OperatorFlags, operatorKeyFiles, operatorOptions } from '../operator.ts';
import { shellWord } from '../shell-word.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type PrepareFlags = { voters: string[]; reason: string; notice?: number; output: string };
type SureFlags = { yes?: true };

/** coordinator decree prepare, sign, apply, status. */
export function addDecree(coordinator: Command, register: Register): void {
  const decree = coordinator
    .command('decree')
    .description('When the majority of the voters is lost for good: name new voters.');
  const prepareCommand = decree
    .command('prepare')
    .description('Look at the logs that are left, and write down what operators must sign.')
    .addOption(
      new Option('--voters <names>', 'who votes from then on: names, separated by commas')
        .argParser(repeatedList)
        .makeOptionMandatory(),
    )
    .requiredOption('--reason <text>', 'what has happened; it is kept for ever')
    .requiredOption('-o, --output <file>', 'write the decree to this new file')
    .option('--notice <duration>', "how long it waits (default: the policy's)", durationArgument);
  register<PrepareFlags>(prepareCommand, (context, { options }) => prepare(context, options));
  const signCommand = decree
    .command('sign')
    .description('Sign a decree. With a key file this needs no agent: any machine will do.')
    .argument('<file>', 'as prepare has written it')
    .option('--yes', 'do not ask');
  register<OperatorFlags & SureFlags>(operatorOptions(signCommand), (context, { args, options }) =>
    sign(context, args[0] ?? '', options),
  );
  const applyCommand = decree
    .command('apply')
    .description('Announce a signed decree, on the host that has prepared it.')
    .argument('<file>', 'as sign has left it')
    .option('--yes', 'do not ask');
  register<SureFlags>(applyCommand, (context, { args, options }) =>
    apply(context, args[0] ?? '', options),
  );
  const statusCommand = decree
    .command('status')
    .description('Show the decree that was announced and waits.');
  register(statusCommand, status);
}

async function prepare(context: CliContext, flags: PrepareFlags): Promise<void> {
  const { backend, cwd, output, stateDir, stateFlag } = context;
  const { voters, reason, notice } = flags;
  const request = { voters, reason, ...(notice === undefined ? {} : { noticeMs: notice }) };
  const draft = await backend.control(stateDir).prepareDecree(request);
  await write(resolve(cwd, flags.output), await backend.decreeDocument(draft), 'wx');
  if (output.isJson) return output.json(message('decree', { ...draft, file: flags.output }));
  await output.print(
    `A decree that would begin generation ${draft.generation}, in ${clean(flags.output)}:`,
    ...reportLines(draft),
    `  logs looked at  ${listed(draft.asked)}`,
    `  did not answer  ${listed(draft.silent)}`,
    '',
  );
  if (draft.silent.length > 0) {
    await output.print(
      `${output.style('!', 'yellow')} If those that did not answer still form a majority, two clusters will decide. Be sure that they are off.`,
    );
  }
  const file = shellWord(flags.output);
  await output.print(
    `Nothing has changed. Each operator: holdfast coordinator decree sign ${file}`,
    `then here, before this agent restarts: holdfast coordinator decree apply ${file}${stateFlag}`,
  );
}

async function sign(
  context: CliContext,
  path: string,
  flags: OperatorFlags & SureFlags,
): Promise<void> {
  const { backend, cwd, output, stateDir } = context;
  const file = resolve(cwd, path);
  const text = await read(file);
  const words = await backend.readDecree(text);
  if (!output.isJson) await output.print(...signedLines(words));
  await confirm(context, {
    warning: 'You sign that the abandoned voters are off, or will never be used again.',
    word: 'sign',
    isSure: flags.yes === true,
  });
  const files = operatorKeyFiles(context, flags);
  const signed = await backend.signDecree({ stateDir, operatorKeyFiles: files, text });
  await write(file, signed, 'w');
  const { signers } = await backend.readDecree(signed);
  if (output.isJson) return output.json(message('decree', { ...words, signers }));
  await output.print(`Signed; signatures so far: ${signers.map(short).join(', ')}.`);
}

async function apply(context: CliContext, path: string, flags: SureFlags): Promise<void> {
  const { backend, cwd, output, stateDir, stateFlag } = context;
  const text = await read(resolve(cwd, path));
  const words = await backend.readDecree(text);
  const envelope = await backend.decreeEnvelope(text);
  if (!output.isJson) await output.print(...signedLines(words));
  await confirm(context, {
    warning: `It takes effect ${formatSpan(words.noticeMs)} after it was announced, and nothing takes it back.`,
    word: 'apply',
    isSure: flags.yes === true,
  });
  const report = await backend.control(stateDir).announceDecree({ envelope });
  if (output.isJson) return output.json(message('decree', report));
  await output.print(`Announced: it takes effect in ${formatSpan(report.leftMs)}.`);
  await output.remark(`next: holdfast coordinator decree status${stateFlag}`);
}

async function status(context: CliContext): Promise<void> {
  const { output } = context;
  const { pending } = await context.backend.control(context.stateDir).decree();
  if (output.isJson) return output.json(message('decree', { pending }));
  if (pending === undefined) {
    return output.print(
      'No decree waits here.',
      `next: holdfast coordinator status${context.stateFlag}`,
    );
  }
  const { generation, leftMs } = pending;
  await output.print(
    `Generation ${generation} begins in ${formatSpan(leftMs)}:`,
    ...reportLines(pending),
  );
}

function reportLines(report: Omit<DecreeReport, 'leftMs'>): string[] {
  return [
    `  voters          ${listed(report.voters)}`,
    `  abandoned       ${listed(report.abandoned)}`,
    `  builds on       ${report.logSize} entries`,
    `  notice          ${formatSpan(report.noticeMs)}`,
    `  reason          ${clean(report.reason)}`,
  ];
}

/** Keys only: names beside them are not signed. */
function signedLines(words: DecreeWords): string[] {
  return [
    `A decree for cluster ${short(words.clusterId)}, written ${formatTime(words.announcedMs)}:`,
    `  generation      ${words.generation}`,
    `  voters          ${words.voters.map(short).join(', ')}`,
    `  abandoned       ${words.abandoned.map(short).join(', ') || 'nobody'}`,
    `  builds on       ${words.logSize} entries, root ${short(words.rootHash)}`,
    `  notice          ${formatSpan(words.noticeMs)}`,
    `  reason          ${clean(words.reason)}`,
    `  signed by       ${words.signers.map(short).join(', ') || 'nobody yet'}`,
  ];
}

function listed(members: readonly DecreeMember[]): string {
  if (members.length === 0) return 'nobody';
  return clean(members.map(({ name, agentKey }) => `${name} (${short(agentKey)})`).join(', '));
}

function short(hex: string): string {
  return hex.slice(0, 8);
}

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: Error) => {
    throw new HoldfastError('io-error', `cannot read the decree: ${cause.message}`, { cause });
  });
}

/** Replaced whole or not at all: it carries the signatures of others. */
async function write(path: string, text: string, flag: 'w' | 'wx'): Promise<void> {
  const written = flag === 'wx' ? path : `${path}.new`;
  try {
    await writeFile(written, text, { flag });
    if (written !== path) await rename(written, path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('io-error', `cannot write the decree: ${reason}`, { cause });
  }
}
