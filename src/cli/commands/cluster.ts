import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { formatSpan } from '../../base/quantity.ts';
import { hourMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Role } from '../../core/format/records.ts';
import type { Register } from '../action.ts';
import { countArgument, durationArgument, repeated } from '../arguments.ts';
import type { InitReport, JoinReport } from '../backend.ts';
import { message } from '../json-fields.ts';
import { KitFile } from '../kit-file.ts';
import { readAll } from '../read-all.ts';
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

type InitFlags = {
  site: string;
  region: string;
  name?: string;
  cluster?: string;
  listen?: string[];
  surviveSites?: number;
  byzantineVoters?: number;
  kit?: string;
  start?: true;
};

type InviteFlags = {
  site: string;
  region: string;
  role?: string[];
  ttl: number;
  operatorKey?: string[];
};

type JoinFlags = { codeFile: string; name?: string; listen?: string[]; start?: true };

/** init, invite, join. */
export function addCluster(program: Command, register: Register): void {
  const initCommand = program
    .command('init')
    .description('Found a cluster: this host is its first member. Prints the recovery kit once.')
    .requiredOption('--site <name>', 'the site of this host: what fails together')
    .requiredOption('--region <name>', 'the region of the site')
    .option('--name <name>', "this agent's name (default: the host's)")
    .option('--cluster <name>', "the cluster's name")
    .option('--listen <address>', 'listen here: IP:PORT or multiaddr; repeatable', repeated)
    .option('--survive-sites <n>', 'how many sites may be lost (default: 2)', countArgument)
    .option(
      '--byzantine-voters <n>',
      'voters that may lie about a promotion without harm: 0 or 1, for ever (default: 0)',
      countArgument,
    )
    .option('--kit <file>', 'write the recovery kit to this new file instead of the terminal')
    .option('--start', 'start the agent in the background');
  register<InitFlags>(initCommand, (context, { options }) => init(context, options));

  const inviteCommand = program
    .command('invite')
    .description('Make a code with which one more host may join.')
    .requiredOption('--site <name>', 'the site of the new host')
    .requiredOption('--region <name>', 'the region of the site')
    .addOption(
      new Option(
        '--role <role...>',
        'what the new host does (default: source, storage, voter)',
      ).choices(roleNames),
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

async function init(context: CliContext, flags: InitFlags): Promise<void> {
  const { backend, output, configFile, cwd, stateDir } = context;
  const kit = flags.kit === undefined || flags.kit === '-' ? undefined : resolve(cwd, flags.kit);
  if (flags.kit === undefined && !output.isTty) {
    throw new HoldfastError(
      'usage',
      'the recovery kit is a secret and must not end in a log: name a file for it',
      { next: 'holdfast init --kit FILE ... (or --kit - for standard output)' },
    );
  }
  if ((flags.byzantineVoters ?? 0) > 1) {
    throw new HoldfastError('usage', '--byzantine-voters is 0 or 1', {
      next: 'holdfast init --byzantine-voters 1 ...',
    });
  }
  // Made first: a cluster whose kit cannot be kept must not come to be.
  await using kitFile = kit === undefined ? undefined : await KitFile.create(kit);
  const report = await backend.initCluster({
    stateDir,
    ...(configFile !== undefined && { configFile }),
    site: flags.site,
    region: flags.region,
    ...(flags.name !== undefined && { name: flags.name }),
    ...(flags.cluster !== undefined && { cluster: flags.cluster }),
    listen: flags.listen ?? [],
    ...(flags.surviveSites !== undefined && { surviveSites: flags.surviveSites }),
    ...(flags.byzantineVoters !== undefined && { byzantineVoters: flags.byzantineVoters }),
  });
  const keptIn = await keepKit(context, report.kitText, kitFile);
  await reportInit(context, report, keptIn);
  if (flags.start === true) await start(context);
  else await output.remark(`next: holdfast agent${context.stateFlag}`);
  const next = `next: holdfast invite --site NAME --region NAME${context.stateFlag}`;
  if (flags.start === true) await output.remark(next);
}

/** Where the kit is now; undefined: it has to be printed. */
async function keepKit(
  context: CliContext,
  kitText: string,
  kitFile: KitFile | undefined,
): Promise<string | undefined> {
  try {
    await kitFile?.keep(kitText);
    return kitFile?.path;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await context.output.complain(
      `holdfast: the recovery kit could not be written: ${clean(reason)}`,
    );
    return undefined;
  }
}

async function reportInit(
  { output }: CliContext,
  report: InitReport,
  kitFile: string | undefined,
): Promise<void> {
  const { kitText, ...facts } = report;
  if (output.isJson) {
    const kit = kitFile === undefined ? { kit: kitText } : { kit_file: kitFile };
    await output.json({ ...message('summary', facts), ...kit });
    return;
  }
  await output.print(
    `Cluster ${clean(report.clusterName)} (${report.clusterId.slice(0, 8)}) founded.`,
    `This host is ${clean(report.name)}, site ${clean(report.site)}, region ${clean(report.region)}.`,
  );
  if (report.operatorKeyFile !== undefined) {
    await output.print(`The operator's signing key is in ${clean(report.operatorKeyFile)}.`);
  }
  if (kitFile !== undefined) {
    await output.print(
      `The recovery kit is in ${clean(kitFile)}: move it off this host, to a safe.`,
      'It alone opens every backup. Without it nothing can ever be restored.',
    );
    return;
  }
  await output.print(
    '',
    output.style('RECOVERY KIT: print this now and put it in a safe. It is shown once.', 'bold'),
    'It alone opens every backup. Without it nothing can ever be restored.',
    '',
    kitText.trimEnd(),
    '',
  );
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
    const { expiresMs, ...facts } = report;
    const expires = new Date(expiresMs).toISOString();
    await output.json({ ...message('invite', facts), expires });
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
  if (flags.start === true) await start(context);
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

async function start(context: CliContext): Promise<void> {
  const { backend, output, configFile, stateDir } = context;
  const { pid } = await backend.startAgent({
    stateDir,
    ...(configFile !== undefined && { configFile }),
  });
  if (output.isJson) await output.json(message('agent', { pid }));
  else await output.print(`The agent runs (process ${pid}).`);
}
