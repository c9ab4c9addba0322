import type { Command } from 'commander';
import type { PolicyVersion } from '../../agent/policy-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ClusterId } from '../../core/ids.ts';
import { encodePolicy } from '../../core/policy/policy-text.ts';
import { openEvidence } from '../../core/protocol/control/evidence.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { type OperatorFlags, operatorOptions } from '../operator.ts';
import { policyFile } from '../policy-file.ts';
import { leavesOf, showPolicy, submitPolicy } from '../policy-submit.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { signProposal } from './approve.ts';
import { addPolicySet } from './policy-set.ts';

/** policy show, set, diff, propose, approve, log. */
export function addPolicy(program: Command, register: Register): void {
  const policy = program
    .command('policy')
    .description('Show and change what the cluster promises, and what it does by itself.');
  register(policy.command('show').description('Show the policy in force.'), showPolicy);
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
  const { output } = context;
  const agent = context.backend.control(context.stateDir);
  const [{ history }, { clusterId }] = [await agent.policy(), await agent.coordinator()];
  const checked = history.map((version, i) => ({
    version,
    problem: problemOf(version, history[i - 1], clusterId as ClusterId),
  }));
  if (output.isJson) {
    for (const { version, problem } of checked) {
      const { evidence: _, ...facts } = version;
      await output.json(message('policy_version', { ...facts, ...(problem && { problem }) }));
    }
  } else {
    await output.table(
      [
        { title: 'VERSION', align: 'right' },
        { title: 'ENTRY', align: 'right' },
        { title: 'TIME' },
        { title: 'SIGNED BY' },
        { title: 'VERIFIED' },
      ],
      checked.map(({ version, problem }) => [
        String(version.version),
        String(version.index),
        version.timeMs === 0 ? '-' : formatTime(version.timeMs),
        version.authors.length === 0 ? 'the genesis' : version.authors.join(', '),
        problem ?? 'yes',
      ]),
    );
  }
  const broken = checked.find(({ problem }) => problem !== undefined);
  if (broken === undefined) return;
  throw new HoldfastError('bad-signature', `version ${broken.version.version}: ${broken.problem}`, {
    next: 'ask another agent, and trust this one no more',
  });
}

/** Why a version does not prove itself: by its signatures, its document, and its place in the history. */
function problemOf(
  { version, document, authorKeys, evidence }: PolicyVersion,
  before: PolicyVersion | undefined,
  cluster: ClusterId,
): string | undefined {
  if (before !== undefined && version !== before.version + 1)
    return 'a version before it is missing';
  if (evidence.length === 0) return before === undefined ? undefined : 'nobody has signed it';
  try {
    const envelopes = evidence.map((text) => new Uint8Array(Buffer.from(text, 'base64')));
    const { command, signers } = openEvidence(envelopes, cluster);
    const { body } = command;
    if (body.kind !== 'policy' || body.version !== version || body.base !== version - 1) {
      return 'its signatures are for another command';
    }
    if (!Buffer.from(body.document).equals(encodePolicy(document))) {
      return 'its signatures are for another document';
    }
    const unsigned = authorKeys.find((key) => !signers.has(key));
    return unsigned === undefined ? undefined : `${unsigned.slice(0, 8)} has not signed it`;
  } catch (error) {
    if (error instanceof HoldfastError) return error.message;
    throw error;
  }
}
