import { resolve } from 'node:path';
import type { Command } from 'commander';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { countArgument, repeated } from '../arguments.ts';
import type { InitReport } from '../backend.ts';
import { custodianArgument } from '../custodian.ts';
import { type FoundingFlags, foundingOf } from '../founding.ts';
import { message } from '../json-fields.ts';
import { KitFile } from '../kit-file.ts';
import { startAgent } from '../start-agent.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type InitFlags = FoundingFlags & {
  site: string;
  region: string;
  name?: string;
  cluster?: string;
  listen?: string[];
  byzantineVoters?: number;
  kit?: string;
  start?: true;
};

export function addInit(program: Command, register: Register): void {
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
      '--operator <name:key>',
      'one of the people who decide, with the line or file that `operator key` gave; repeatable (default: one, whose key is made here)',
      repeated,
    )
    .option('--threshold <n>', 'how many of them must sign (default: most)', countArgument)
    .option('--policy <file>', 'the policy that holds at first; - reads standard input')
    .option(
      '--custodian <name>',
      'who shall keep a share of the kit: NAME, NAME=RECIPIENT or NAME=@FILE; repeatable',
      custodianArgument,
    )
    .option('--share-threshold <m>', 'shares that make the kit (default: most)', countArgument)
    .option(
      '--byzantine-voters <n>',
      'voters that may lie about a promotion without harm: 0 or 1, for ever (default: 0)',
      countArgument,
    )
    .option('--kit <file>', 'write the recovery kit to this new file instead of the terminal')
    .option('--start', 'start the agent in the background');
  register<InitFlags>(initCommand, (context, { options }) => init(context, options));
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
  const founding = await foundingOf(context, flags);
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
    ...founding,
    ...(flags.byzantineVoters !== undefined && { byzantineVoters: flags.byzantineVoters }),
  });
  const keptIn = await keepKit(context, report.kitText, kitFile);
  await reportInit(context, report, keptIn);
  if (flags.start === true) await startAgent(context);
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
  } else {
    const who = report.operators.map(clean).join(', ');
    await output.print(
      `${report.threshold} of ${report.operators.length} operators must sign: ${who}.`,
    );
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
