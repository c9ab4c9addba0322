import type { Command } from 'commander';
import type { ProposalReport } from '../../agent/trust-types.ts';
import { formatSpan } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import { decodeCommand } from '../../core/format/control-command.ts';
import type { CommandHash, ControlBody } from '../../core/format/control-records.ts';
import type { ClusterId } from '../../core/ids.ts';
import { commandHash } from '../../core/protocol/control/evidence.ts';
import type { Register } from '../action.ts';
import { plain, shortened } from '../command-text.ts';
import { message } from '../json-fields.ts';
import { type OperatorFlags, operatorOptions, submitAsOperator } from '../operator.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type ReasonFlags = { reason: string };

/** approve list, show, sign, deny, veto. */
export function addApprove(program: Command, register: Register): void {
  const approve = program
    .command('approve')
    .description('Show and sign what several operators must sign, and stop what waits.');
  const listCommand = approve
    .command('list')
    .description('List what is proposed, and how it stands.');
  register(listCommand, list);
  const showCommand = approve
    .command('show')
    .description('Show exactly what would be signed.')
    .argument('<id>', 'the beginning of its id');
  register(showCommand, (context, { args }) => show(context, args[0] ?? ''));
  const signCommand = approve
    .command('sign')
    .description('Sign it, as an operator.')
    .argument('<id>', 'the beginning of its id');
  register<OperatorFlags>(operatorOptions(signCommand), (context, { args, options }) =>
    signProposal(context, args[0] ?? '', options),
  );
  const denyCommand = withReason(approve.command('deny'))
    .description('Refuse to sign it, as an operator; of one that waits: stop it.')
    .argument('<id>', 'the beginning of its id');
  register<OperatorFlags & ReasonFlags>(
    operatorOptions(denyCommand),
    (context, { args, options }) => deny(context, args[0] ?? '', options),
  );
  const vetoCommand = withReason(approve.command('veto'))
    .description('Stop one that waits, in the name of this host, which must be an auditor.')
    .argument('<id>', 'the beginning of its id');
  register<ReasonFlags>(vetoCommand, (context, { args, options }) =>
    veto(context, args[0] ?? '', options),
  );
}

function withReason(command: Command): Command {
  return command.requiredOption('--reason <text>', 'why; everybody reads it');
}

async function list(context: CliContext): Promise<void> {
  const { output } = context;
  const proposals = await context.backend.control(context.stateDir).proposals();
  if (output.isJson) {
    for (const one of proposals) await output.json(message('proposal', one));
    return;
  }
  if (proposals.length === 0) return output.print('Nothing is proposed.');
  await output.table(
    [
      { title: 'ID' },
      { title: 'STATE' },
      { title: 'SIGNED' },
      { title: 'ENDS' },
      { title: 'WHAT' },
    ],
    proposals.map((one) => [
      one.hash.slice(0, 8),
      one.state,
      signedWords(one),
      endWords(one),
      one.words,
    ]),
  );
}

/** Of what has ended only who signed: how many must sign may be another number by now. */
function signedWords({ state, approvals, counted, threshold }: ProposalReport): string {
  const isUnderWay = state === 'open' || state === 'waiting';
  return isUnderWay ? `${counted} of ${threshold}` : String(approvals.length);
}

function endWords({ state, endsMs, lengthMs }: ProposalReport): string {
  if (state !== 'open' && state !== 'waiting') return '-';
  const what = state === 'open' ? 'expires' : 'takes effect';
  return endsMs === undefined
    ? `${what} in ${formatSpan(lengthMs)}`
    : `${what} ${formatTime(endsMs)}`;
}

async function show(context: CliContext, id: string): Promise<void> {
  const { output } = context;
  const proposal = await find(context, id);
  const { body } = await opened(context, proposal);
  if (output.isJson) return output.json(message('proposal', { ...proposal, body: plain(body) }));
  await output.print(...proposalLines(proposal, body));
}

function proposalLines(proposal: ProposalReport, body: ControlBody): string[] {
  const { hash, state, words, approvals, denials, reason, vetoedBy, lacks } = proposal;
  const why = reason === undefined ? '' : `: ${reason}`;
  const by = vetoedBy === undefined ? '' : ` by ${vetoedBy}`;
  return [
    `id         ${hash}`,
    `what       ${clean(words)}`,
    `state      ${state}${clean(`${by}${why}`)}`,
    `ends       ${endWords(proposal)}`,
    `signed     ${signedWords(proposal)}`,
    ...(lacks === undefined ? [] : [`lacks      ${clean(lacks)}`]),
    ...approvals.map(({ name, timeMs }) => `  ${clean(name)}, ${formatTime(timeMs)}`),
    ...denials.map((one) => `denied by  ${clean(`${one.name}: ${one.reason}`)}`),
    'command',
    ...JSON.stringify(plain(body), shortened, 2)
      .split('\n')
      .map((line) => `  ${clean(line)}`),
  ];
}

/** Shows what is signed, signs it as an operator, and says how it stands then. */
export async function signProposal(
  context: CliContext,
  id: string,
  flags: OperatorFlags,
): Promise<void> {
  const { output, stateFlag } = context;
  const proposal = await find(context, id);
  const { body, hash } = await opened(context, proposal);
  if (proposal.state !== 'open') throw notOpen(proposal, stateFlag);
  if (!output.isJson) await output.print(...proposalLines(proposal, body), '');
  await submitAsOperator(context, flags, { kind: 'approve', hash });
  await printStanding(context, hash);
}

async function deny(
  context: CliContext,
  id: string,
  { reason, ...flags }: OperatorFlags & ReasonFlags,
): Promise<void> {
  const { hash, state, kind: what } = await find(context, id);
  if (state === 'done' && what === 'restore-request')
    return revoke(context, hash, { reason, ...flags });
  if (state !== 'open' && state !== 'waiting') {
    throw notOpen(await find(context, id), context.stateFlag);
  }
  const kind = state === 'waiting' ? 'veto' : 'deny';
  await submitAsOperator(context, flags, { kind, hash: hash as CommandHash, reason });
  const { state: after, denials } = await find(context, hash);
  if (after !== 'open' || context.output.isJson) return printStanding(context, hash);
  const who = denials.map((one) => one.name).join(', ');
  await context.output.print(
    `${hash.slice(0, 8)} is denied by ${clean(who)}: so many others may still sign that it is not over.`,
  );
}

/** What was granted to restore is taken back: whoever serves it stops at once. */
async function revoke(
  context: CliContext,
  hash: string,
  { reason, ...flags }: OperatorFlags & ReasonFlags,
): Promise<void> {
  const { output } = context;
  const request = hash as CommandHash;
  const body = { kind: 'restore-end', request, outcome: 'revoked', reason } as const;
  const report = await submitAsOperator(context, flags, body);
  if (output.isJson) return output.json(message('applied', report));
  await output.print(`${hash.slice(0, 8)} opens nothing more: what is restored already stays.`);
}

async function veto(context: CliContext, id: string, { reason }: ReasonFlags): Promise<void> {
  const { hash } = await find(context, id);
  await context.backend.control(context.stateDir).veto({ hash, reason });
  await printStanding(context, hash);
}

async function printStanding(context: CliContext, hash: string): Promise<void> {
  const { output, stateFlag } = context;
  const proposal = await find(context, hash);
  if (output.isJson) return output.json(message('proposal', proposal));
  const { state, counted, threshold, lacks, lengthMs, reason = '' } = proposal;
  const id = hash.slice(0, 8);
  switch (state) {
    case 'open':
      await output.print(
        `${id} has ${counted} of ${threshold} signatures${lacks === undefined ? '' : `: ${clean(lacks)}`}.`,
      );
      return output.remark(`next: holdfast approve sign ${id}${stateFlag}`);
    case 'waiting':
      await output.print(
        `${id} has its signatures, and takes effect after ${formatSpan(lengthMs)}.`,
        'Until then an auditor or an operator can stop it.',
      );
      return output.remark(`next: holdfast approve show ${id}${stateFlag}`);
    case 'done':
      return output.print(`${id} is in force: ${clean(proposal.words)}.`);
    case 'failed':
      throw new HoldfastError('not-permitted', `${id} has its signatures, but: ${reason}`, {
        next: `holdfast approve show ${id}${stateFlag}`,
      });
    default:
      return output.print(`${id} is ${state}.`);
  }
}

function notOpen({ hash, state }: ProposalReport, stateFlag: string): HoldfastError {
  const id = hash.slice(0, 8);
  return new HoldfastError('not-permitted', `${id} is ${state}: there is nothing to sign`, {
    next: `holdfast approve show ${id}${stateFlag}`,
  });
}

/** By the beginning of its id. @throws HoldfastError not-found | ambiguous */
async function find(context: CliContext, id: string): Promise<ProposalReport> {
  const proposals = await context.backend.control(context.stateDir).proposals();
  const found = id.length < 4 ? [] : proposals.filter(({ hash }) => hash.startsWith(id));
  const [only, ...others] = found;
  const next = `holdfast approve list${context.stateFlag}`;
  if (only === undefined) {
    throw new HoldfastError('not-found', `no proposal begins with ${JSON.stringify(id)}`, { next });
  }
  if (others.length === 0) return only;
  throw new HoldfastError('ambiguous', `${found.length} proposals begin with ${id}`, { next });
}

/** What would be signed, out of its own bytes: a lying agent must not have an operator sign something else. */
async function opened(
  context: CliContext,
  { hash, command, generation }: ProposalReport,
): Promise<{ body: ControlBody; hash: CommandHash }> {
  const { clusterId } = await context.backend.control(context.stateDir).coordinator();
  const payload = new Uint8Array(Buffer.from(command, 'base64'));
  const own = commandHash(payload, { cluster: clusterId as ClusterId, generation });
  if (own === hash) return { body: decodeCommand(payload).body, hash: own };
  throw new HoldfastError('bad-signature', 'the agent shows another command than its id names', {
    next: 'ask another agent: holdfast approve show, with --state of another host',
  });
}
