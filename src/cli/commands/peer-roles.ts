import { type Command, InvalidArgumentError } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import { isRole, type Role, roles } from '../../core/format/records.ts';
import type { Register } from '../action.ts';
import { confirm } from '../confirm.ts';
import { agentKeyOf } from '../member-name.ts';
import {
  type OperatorFlags,
  operatorOptions,
  printApplied,
  submitAsOperator,
} from '../operator.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type RoleWish = { role: Role; isGiven: boolean };
type SetFlags = OperatorFlags & { role: RoleWish[] };
type RemoveFlags = OperatorFlags & { reason: string; yes?: true };

/** peer set, peer remove. */
export function addPeerRoles(peer: Command, register: Register): void {
  const setCommand = peer
    .command('set')
    .description('Give roles to a member, or take them. Operators sign it.')
    .argument('<name>', 'its name, or the beginning of its key')
    .requiredOption('--role <change>', '+ROLE gives, -ROLE takes; repeatable', roleArgument);
  register<SetFlags>(operatorOptions(setCommand), (context, { args, options }) =>
    setRoles(context, args[0] ?? '', options),
  );
  const removeCommand = peer
    .command('remove')
    .description('Put a member out of the cluster for good. Operators sign it.')
    .argument('<name>', 'its name, or the beginning of its key')
    .requiredOption('--reason <text>', 'why; everybody reads it')
    .option('--yes', 'do not ask');
  register<RemoveFlags>(operatorOptions(removeCommand), (context, { args, options }) =>
    remove(context, args[0] ?? '', options),
  );
}

function roleArgument(value: string, before: readonly RoleWish[] | undefined): RoleWish[] {
  const name = value.slice(1);
  if (!/^[+-]/.test(value) || !isRole(name)) {
    throw new InvalidArgumentError(`Give +ROLE or -ROLE, a role being one of ${roles.join(', ')}.`);
  }
  return [...(before ?? []), { role: name, isGiven: value.startsWith('+') }];
}

async function setRoles(context: CliContext, name: string, flags: SetFlags): Promise<void> {
  const { output } = context;
  const agent = await agentKeyOf(context, name);
  const wanted = (isGiven: boolean): Role[] => [
    ...new Set(flags.role.filter((one) => one.isGiven === isGiven).map(({ role }) => role)),
  ];
  const body = { kind: 'roles', agent, add: wanted(true), remove: wanted(false) } as const;
  const report = await submitAsOperator(context, flags, body);
  await printApplied(context, report, { agent, add: body.add, remove: body.remove });
  if (output.isJson) return;
  await output.print(
    `The roles of ${clean(name)} have changed, for every member from entry ${report.index} on.`,
  );
}

async function remove(context: CliContext, name: string, flags: RemoveFlags): Promise<void> {
  const { output } = context;
  const agent = await agentKeyOf(context, name);
  const self = await context.backend.control(context.stateDir).identity();
  if (self.agentKey === agent) {
    throw new HoldfastError('usage', 'this is the host that you are asking', {
      next: 'remove it at another member',
    });
  }
  await confirm(context, {
    warning:
      `${name} will be cut off everywhere, and its keys never come back. What it has backed up stays; ` +
      'what it stores for others counts no more.',
    word: name,
    isSure: flags.yes === true,
  });
  const body = { kind: 'expel', agent, reason: flags.reason } as const;
  const report = await submitAsOperator(context, flags, body);
  await printApplied(context, report, { agent });
  if (output.isJson) return;
  await output.print(`${clean(name)} is no member any more, from entry ${report.index} on.`);
  await output.remark(`next: holdfast status${context.stateFlag}`);
}
