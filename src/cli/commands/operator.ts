import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { OperatorsReport } from '../../agent/trust-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { BodyOf } from '../../core/format/control-records.ts';
import type { Operator } from '../../core/format/records.ts';
import type { Register } from '../action.ts';
import { countArgument } from '../arguments.ts';
import { message } from '../json-fields.ts';
import { operatorPublicKey } from '../operator-key.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type ChangeFlags = OperatorFlags & { threshold?: number };
type AddFlags = ChangeFlags & { recipient?: string };

/** operator list, add, remove, threshold, key. */
export function addOperator(program: Command, register: Register): void {
  const operator = program
    .command('operator')
    .description('Show and change the people who may change the cluster, and make their keys.');
  register(operator.command('list').description('List the operators.'), list);
  const addCommand = operator
    .command('add')
    .description('Make somebody an operator. The operators sign it.')
    .argument('<name>', 'for people')
    .argument('<key>', 'the line that `holdfast operator key` has printed, or a file with it')
    .option('--recipient <age1..>', 'age recipient, when this operator may open data');
  register<AddFlags>(changeOptions(addCommand), (context, { args, options }) =>
    add(context, { name: args[0] ?? '', key: args[1] ?? '' }, options),
  );
  const removeCommand = operator
    .command('remove')
    .description('Let somebody be an operator no longer. The operators sign it, and it waits.')
    .argument('<name>', 'the name, or the beginning of the key');
  register<ChangeFlags>(changeOptions(removeCommand), (context, { args, options }) =>
    remove(context, args[0] ?? '', options),
  );
  const thresholdCommand = operator
    .command('threshold')
    .description('Set how many operators must sign. Those before and those after sign it.')
    .argument('<n>', 'how many', countArgument as (value: string) => never);
  register<OperatorFlags>(operatorOptions(thresholdCommand), (context, { args, options }) =>
    change(context, options, (before) => ({ ...before, threshold: Number(args[0]) })),
  );
  const keyCommand = operator
    .command('key')
    .description('Make a signing key for a new operator. Needs no cluster.')
    .requiredOption('-o, --output <file>', 'where to put it; only its owner can read it');
  register<{ output: string }>(keyCommand, (context, { options }) => makeKey(context, options));
}

function changeOptions(command: Command): Command {
  return operatorOptions(command).option(
    '--threshold <n>',
    'how many must sign from then on (default: as before)',
    countArgument,
  );
}

async function list(context: CliContext): Promise<void> {
  const { output } = context;
  const report = await context.backend.control(context.stateDir).operators();
  if (output.isJson) return output.json(message('operators', report));
  const { operators, threshold, version } = report;
  await output.print(`${threshold} of ${operators.length} must sign (version ${version}).`, '');
  await output.table(
    [{ title: 'NAME' }, { title: 'KEY' }, { title: 'OPENS DATA' }],
    operators.map(({ name, key, recipient }) => [name, key, recipient === '' ? 'no' : 'yes']),
  );
}

async function add(
  context: CliContext,
  { name, key }: { name: string; key: string },
  flags: AddFlags,
): Promise<void> {
  const operator = {
    name,
    key: await operatorPublicKey(context, key),
    recipient: flags.recipient ?? '',
  };
  await change(context, flags, ({ operators, threshold }) => {
    const owner = operators.find((one) => one.key === operator.key);
    if (owner !== undefined) {
      throw new HoldfastError('usage', `that key is an operator already: ${owner.name}`, {
        next: `holdfast operator list${context.stateFlag}`,
      });
    }
    return {
      operators: [...(operators as Operator[]), operator],
      threshold: flags.threshold ?? threshold,
    };
  });
}

async function remove(context: CliContext, text: string, flags: ChangeFlags): Promise<void> {
  await change(context, flags, ({ operators, threshold }) => {
    const named = operators.filter(({ name }) => name === text);
    const found =
      named.length > 0
        ? named
        : operators.filter(({ key }) => text.length >= 4 && key.startsWith(text));
    const [only, ...others] = found;
    if (only === undefined || others.length > 0) {
      const count = only === undefined ? 'no operator is' : `${found.length} operators are`;
      throw new HoldfastError('not-found', `${count} named ${JSON.stringify(text)}`, {
        next: `holdfast operator list${context.stateFlag}`,
      });
    }
    const left = operators.filter((one) => one !== only) as Operator[];
    // Fewer people than must sign could never change anything again.
    return { operators: left, threshold: flags.threshold ?? Math.min(threshold, left.length) };
  });
}

type Operators = Pick<BodyOf<'operators'>, 'operators' | 'threshold'>;

async function change(
  context: CliContext,
  flags: OperatorFlags,
  next: (before: OperatorsReport) => Operators | OperatorsReport,
): Promise<void> {
  const { output } = context;
  const agent = context.backend.control(context.stateDir);
  const before = await agent.operators();
  const { version: base } = before;
  const { operators, threshold } = next(before) as Operators;
  if (!(threshold >= 1 && threshold <= operators.length)) {
    const all =
      operators.length === 1 ? 'there is 1 operator' : `there are ${operators.length} operators`;
    throw new HoldfastError('usage', `${threshold} cannot have to sign: ${all}`, {
      next: `holdfast operator list${context.stateFlag}`,
    });
  }
  const body = { kind: 'operators', version: base + 1, base, operators, threshold } as const;
  const report = await submitAsOperator(context, flags, body);
  await printApplied(context, report, { version: base + 1, threshold });
  if (!output.isJson) await list(context);
}

async function makeKey(context: CliContext, options: { output: string }): Promise<void> {
  const { output, backend, cwd } = context;
  const file = resolve(cwd, options.output);
  const key = await backend.makeOperatorKey(file);
  if (output.isJson) return output.json(message('operator_key', { key, file }));
  await output.print(key);
  await output.remark(
    `The secret half is in ${clean(file)}. Keep it off the hosts that it decides about.`,
  );
  await output.remark(
    `An operator of the cluster makes it known: holdfast operator add NAME ${key}`,
  );
}
