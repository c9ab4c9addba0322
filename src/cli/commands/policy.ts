import type { Command } from 'commander';
import type { PolicyVersion } from '../../agent/policy-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import type { PolicyProof } from '../backend.ts';
import { message } from '../json-fields.ts';
import { type OperatorFlags, operatorOptions } from '../operator.ts';
import { policyFile } from '../policy-file.ts';
import { leavesOf, showPolicy, submitPolicy } from '../policy-submit.ts';
import { refuseFalsePolicy } from '../policy-verdict.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { signProposal } from './approve.ts';
import { addPolicySet } from './policy-set.ts';

/** policy show, set, diff, propose, approve, log. */
export function addPolicy(program: Command, register: Register): void {
  const policy = program
    .command('policy')
    .description('Show and change what the cluster promises, and what it does by itself.');
  const showCommand = policy
    .command('show')
    .description('Show the policy in force, and verify that operators have signed it.');
  register(showCommand, async (context) => {
    await showPolicy(context);
    refuseFalsePolicy(await context.backend.provePolicy({ stateDir: context.stateDir }));
  });
  addPolicySet(policy, register);
  const diffCommand = policy
    .command('diff')
    .description('Show what a document would change. Nothing is changed.')
    .argument('<file>', 'a policy document, or what `policy show --json` has printed; - for input');
  register(diffCommand, (context, { args }) => diff(context, args[0] ?? ''));
  const proposeCommand = policy
    .command('propose')
    .description('Put a document in the place of the policy. Operators sign it.')
    .argument('<file>', 'a policy document, or what `policy show --json` has printed; - for input');
  register<OperatorFlags>(operatorOptions(proposeCommand), (context, { args, options }) =>
    propose(context, args[0] ?? '', options),
  );
  const approveCommand = policy
    .command('approve')
    .description('Sign the policy that is proposed, as an operator.')
    .argument('[id]', 'of the proposal, when there are several');
  register<OperatorFlags>(operatorOptions(approveCommand), (context, { args, options }) =>
    approve(context, args[0], options),
  );
  const logCommand = policy
    .command('log')
    .description('List all versions with those who signed them, and verify each.');
  register(logCommand, log);
}

async function diff(context: CliContext, file: string): Promise<void> {
  const { output } = context;
  const wanted = await policyFile(context, file);
  const { document: before, version } = await context.backend.control(context.stateDir).policy();
  const [old, next] = [new Map(leavesOf(before)), new Map(leavesOf(wanted))];
  const paths = [...new Set([...old.keys(), ...next.keys()])];
  const changes = paths
    .map((path) => ({ path, before: old.get(path), after: next.get(path) }))
    .filter((one) => one.before !== one.after);
  if (output.isJson) return output.json(message('policy_diff', { base: version, changes }));
  if (changes.length === 0) return output.print(`The same as version ${version}.`);
  await output.print(
    `Against version ${version}:`,
    ...changes.flatMap((one) => [
      ...(one.before === undefined ? [] : [`- ${clean(one.path)}: ${clean(one.before)}`]),
      ...(one.after === undefined ? [] : [`+ ${clean(one.path)}: ${clean(one.after)}`]),
    ]),
  );
}

async function propose(context: CliContext, file: string, flags: OperatorFlags): Promise<void> {
  const wanted = await policyFile(context, file);
  const before = await context.backend.control(context.stateDir).policy();
  await submitPolicy(context, flags, before, wanted);
}

async function approve(
  context: CliContext,
  id: string | undefined,
  flags: OperatorFlags,
): Promise<void> {
  if (id !== undefined) return signProposal(context, id, flags);
  const proposals = await context.backend.control(context.stateDir).proposals();
  const [only, ...others] = proposals.filter(
    ({ kind, state }) => kind === 'policy' && state === 'open',
  );
  if (only !== undefined && others.length === 0) return signProposal(context, only.hash, flags);
  const what = only === undefined ? 'no policy is proposed' : 'several policies are proposed';
  const next = only === undefined ? 'holdfast policy propose FILE' : 'holdfast approve list';
  throw new HoldfastError(only === undefined ? 'not-found' : 'ambiguous', what, {
    next: `${next}${context.stateFlag}`,
  });
}

async function log(context: CliContext): Promise<void> {
  const { output, backend, stateDir, stateFlag } = context;
  const { history } = await backend.control(stateDir).policy();
  const proof = await backend.provePolicy({ stateDir });
  const { problems, checkpoint, objection } = proof;
  if (output.isJson) {
    for (const { evidence: _, ...facts } of history) {
      const problem = problems[facts.version]?.reason;
      const isVerified = checkpoint !== undefined && problem === undefined;
      await output.json(
        message('policy_version', { ...facts, isVerified, ...(problem && { problem }) }),
      );
    }
    await output.json(message('policy_log', { ...checkpoint, ...(objection && { objection }) }));
  } else {
    await output.table(
      logColumns,
      history.map((one) => logRow(one, problems, checkpoint !== undefined)),
    );
    if (checkpoint !== undefined) await output.remark(provenWords(checkpoint));
  }
  refuseFalsePolicy(proof);
  if (checkpoint === undefined) {
    throw new HoldfastError('no-quorum', 'no majority of the voters has signed the log yet', {
      next: `holdfast coordinator status${stateFlag}`,
    });
  }
}

const logColumns = [
  { title: 'VERSION', align: 'right' },
  { title: 'ENTRY', align: 'right' },
  { title: 'TIME' },
  { title: 'SIGNED BY' },
  { title: 'VERIFIED' },
] as const;

function logRow(
  { version, index, timeMs, authors }: PolicyVersion,
  problems: PolicyProof['problems'],
  isProven: boolean,
): string[] {
  return [
    String(version),
    String(index),
    timeMs === 0 ? '-' : formatTime(timeMs),
    authors.length === 0 ? 'the genesis' : authors.join(', '),
    problems[version]?.reason ?? (isProven ? 'yes' : 'no'),
  ];
}

function provenWords({ generation, size }: NonNullable<PolicyProof['checkpoint']>): string {
  return `A majority of the voters, who follow from the genesis, has signed the log up to entry ${size} of generation ${generation}, which holds these versions.`;
}
