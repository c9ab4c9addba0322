import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatSpan } from '../../base/quantity.ts';
import { hourMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Role } from '../../core/format/records.ts';
import type { Register } from '../action.ts';
import { durationArgument, repeated } from '../arguments.ts';
import type { JoinReport } from '../backend.ts';
import { message } from '../json-fields.ts';
import { notYet } from '../operator.ts';
import { readAll } from '../read-all.ts';
import { startAgent } from '../start-agent.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

const roleNames = [
  'source',
  'storage',
  'voter',
  'witness',
  'relay',
  'auditor',
  'custodian',
] as const satisfies readonly Role[];

/** An invite code has a few hundred characters; whatever is longer is the wrong file. */
const codeBytesMax = 64 * 1024;

type InviteFlags = {
  site: string;
  region: string;
  role?: string[];
  ttl: number;
  operatorKey?: string[];
};

type JoinFlags = { codeFile: string; name?: string; listen?: string[]; start?: true };

/** As words of their own, or with commas between them. */
function rolesArgument(value: string, before: readonly string[] | undefined): string[] {
  // A comma before a space leaves nothing behind it: the next word is an argument of its own.
  const given = value
    .replace(/,$/, '')
    .split(',')
    .map((word) => word.trim());
  const wrong = given.find((word) => !roleNames.some((name) => name === word));
  if (wrong !== undefined) {
    throw new InvalidArgumentError(`There is no role "${wrong}"; roles: ${roleNames.join(', ')}.`);
  }
  return [...new Set([...(before ?? []), ...given])];
}

/** invite, join. */
export function addCluster(program: Command, register: Register): void {
  const inviteCommand = program
    .command('invite')
    .description('Make a code with which one more host may join.')
    .requiredOption('--site <name>', 'the site of the new host')
    .requiredOption('--region <name>', 'the region of the site')
    .addOption(
      new Option(
        '--role <role...>',
        `what the new host does (default: source, storage, voter); of ${roleNames.join(', ')}`,
      ).argParser(rolesArgument),
    )
    .addOption(
      new Option('--ttl <duration>', 'how long the code is good, at most 24h')
        .argParser(durationArgument)
        .default(24 * hourMs, '24h'),
    )
    .option(
      '--operator-key <file>',
      "an operator's signing key; repeatable, as many as must sign",
      repeated,
    );
  register<InviteFlags>(inviteCommand, (context, { options }) => invite(context, options));

  const joinCommand = program
    .command('join')
    .description('Join a cluster with an invite code.')
    .requiredOption('--code-file <file>', 'file with the invite code; - reads standard input')
    .option('--name <name>', "this agent's name (default: the host's)")
    .option('--listen <address>', 'listen here: IP:PORT or multiaddr; repeatable', repeated)
    .option('--start', 'start the agent in the background');
  register<JoinFlags>(joinCommand, (context, { options }) => join(context, options));
}

async function invite(context: CliContext, flags: InviteFlags): Promise<void> {
  const { backend, output, cwd } = context;
  const report = await backend.invite({
    stateDir: context.stateDir,
    site: flags.site,
    region: flags.region,
    roles: flags.role ?? [],
    ttlMs: flags.ttl,
    operatorKeyFiles: (flags.operatorKey ?? []).map((file) => resolve(cwd, file)),
  });
  if (output.isJson) {
    const { expiresMs, proposal, ...facts } = report;
    const expires = new Date(expiresMs).toISOString();
    await output.json({
      ...message('invite', { ...facts, ...(proposal && { proposal }) }),
      expires,
    });
    if (proposal !== undefined) throw notYet(context, proposal);
    return;
  }
  const span = formatSpan(flags.ttl);
  await output.remark(
    `One host may join with this code, as ${report.roles.join(', ')}, within ${span}.`,
  );
  await output.remark(
    'On that host: holdfast join --code-file FILE --start   (- reads it from standard input)',
  );
  // Alone on standard output, so that it can be piped to the other host.
  await output.print(clean(report.code));
  if (report.proposal !== undefined) throw notYet(context, report.proposal);
}

async function join(context: CliContext, flags: JoinFlags): Promise<void> {
  const { backend, output, configFile, cwd } = context;
  const bytes =
    flags.codeFile === '-'
      ? await readAll(context.stdin, { bytesMax: codeBytesMax, signal: context.signal })
      : await readFile(resolve(cwd, flags.codeFile)).catch((error: Error) => {
          throw new HoldfastError('io-error', `cannot read the invite code: ${error.message}`, {
            next: 'holdfast join --code-file FILE',
            cause: error,
          });
        });
  const code = Buffer.from(bytes).toString('utf8').trim();
  if (code === '') {
    throw new HoldfastError('usage', 'the invite code is empty', {
      next: 'on a member: holdfast invite --site NAME --region NAME',
    });
  }
  const report = await backend.join({
    stateDir: context.stateDir,
    ...(configFile !== undefined && { configFile }),
    code,
    ...(flags.name !== undefined && { name: flags.name }),
    listen: flags.listen ?? [],
  });
  await reportJoin(context, report);
  if (flags.start === true) await startAgent(context);
  else await output.remark(`next: holdfast agent${context.stateFlag}`);
}

async function reportJoin({ output }: CliContext, report: JoinReport): Promise<void> {
  if (output.isJson) {
    await output.json(message('summary', report));
    return;
  }
  await output.print(
    `Joined cluster ${clean(report.clusterName)} (${report.clusterId.slice(0, 8)}) as ${clean(report.name)}:` +
      ` site ${clean(report.site)}, region ${clean(report.region)}, ${report.roles.join(', ')}.`,
  );
}
