import { parseArgs } from 'node:util';
import { measureFailover, settledLeader } from './failover-time.ts';
import { Fleet } from './fleet.ts';
import { fleetHosts } from './hosts.ts';
import type { NetworkKind } from './namespaces.ts';
import { Network } from './network.ts';
import { Operator } from './operator.ts';
import { ReportFile, type StoredReport } from './report-file.ts';
import { Round } from './round.ts';
import { schemeOf } from './scheme.ts';
import { Template } from './template.ts';
import { isTemplateMade } from './template-mark.ts';
import { Watch } from './watch.ts';

// Runs inside the switch's namespace: main.ts makes the network, and removes it whatever happens here.

const [prefix = '', ...given] = process.argv.slice(2);
const { values } = parseArgs({
  args: given,
  options: {
    seeds: { type: 'string', default: '' },
    kills: { type: 'string', default: '0' },
    network: { type: 'string', default: 'lan' },
    build: { type: 'string', default: '' },
    endMs: { type: 'string', default: '0' },
    out: { type: 'string', default: '' },
    template: { type: 'string' },
  },
});
const out = new ReportFile(values.out);

async function main(): Promise<void> {
  const founder = fleetHosts[0]?.name ?? '';
  using network = await Network.open(values.network as NetworkKind);
  network.cut('partition', []);
  await using fleet = new Fleet(prefix);
  const onSignal = (): void => {
    void fleet[Symbol.asyncDispose]().finally(() => process.exit(130));
  };
  process.once('SIGINT', onSignal);
  const template = new Template(values.template ?? '');
  if (values.template === undefined) await fleet.form(fleetHosts, { surviveSites: 2 });
  else if (!isTemplateMade(values.template)) return await template.make(fleet);
  else await template.start(fleet);
  console.log(
    `five agents (${values.network}) in ${prefix}-*; leader ${await settledLeader(fleet)}`,
  );
  const operator = new Operator(fleet, founder);
  if (Number(values.kills) > 0) {
    const times = await measureFailover(fleet, operator, Number(values.kills));
    out.keep('failover-times.json', { build: values.build, ...times });
  }
  if (values.seeds !== '') await playRounds({ fleet, operator, network }, template);
}

async function playRounds(
  parts: { fleet: Fleet; operator: Operator; network: Network },
  template: Template,
): Promise<void> {
  const { fleet } = parts;
  await using watch = new Watch(
    fleet,
    fleetHosts.map(({ name }) => name),
  );
  for (const seed of values.seeds.split(',').map(Number)) {
    const scheme = schemeOf(seed);
    const dataset = template.take(fleet, scheme.from.name);
    const round = new Round({ ...parts, watch }, scheme, dataset);
    if (Date.now() > Number(values.endMs)) return;
    const keepLogs = (): void => {
      for (const { name } of fleetHosts) out.keep(`seed-${seed}-${name}.log`, fleet.log(name));
    };
    try {
      const report = { ...(await round.run()), build: values.build };
      out.add(report);
      tell(report);
      if (report.problems.length > 0) keepLogs();
    } catch (error) {
      keepLogs();
      console.log(
        `seed ${seed} was not played to its end:`,
        ...round.told.map((at) => `\n    ${at}`),
      );
      throw error;
    }
  }
}

function tell({ seed, way, from, to, state, told, hits, ...rest }: StoredReport): void {
  const verdict = rest.problems.length === 0 ? 'ok' : 'FAILED';
  const hit = hits.map(({ step, moment, victim }) => `${victim} ${moment} ${step}`).join(', ');
  console.log(
    `seed ${seed} (${rest.network}): ${verdict}: ${way}, ${from} to ${to}: ${state}` +
      ` ${rest.settledMs} ms after the trouble; hit: ${hit || 'nothing'}; ${rest.tookMs} ms in all`,
  );
  if (rest.problems.length === 0) return;
  for (const line of [...told, ...rest.details, ...rest.problems]) console.log(`    ${line}`);
}

await main();
