import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { reportText } from './report.ts';
import { Soak } from './soak.ts';

const usage = `npm run soak -- [--minutes N] [--seed N] [--json FILE] [--logs DIR]
  Five real agents on this host, one of which backs up every half minute. They are killed, cut off and stopped, their
  shards are deleted and bits in them flipped, one or two sites at a time: every fault must be noticed and made good,
  every restore must give the same files, and everything must be whole in the end. Linux only.

  --minutes N   no fault is drawn after this long (default: 60)
  --seed N      draws the faults (default: 1); what the agents make of them depends on the machine, too
  --json FILE   the report for programs
  --logs DIR    what the agents have said so far is copied there at each complaint

  Ctrl-C: no more faults are drawn; it looks whether all is whole, and reports.
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    logs: { type: 'string' },
  },
});

/** @returns an exit code */
async function main(): Promise<number> {
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
    console.error(usage);
    return 2;
  }
  const early = new AbortController();
  process.once('SIGINT', () => early.abort());
  await using soak = new Soak({ minutes, seed, logs: values.logs, signal: early.signal });
  const report = await soak.run();
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, null, 2));
  console.log(`\n${reportText(report)}`);
  return report.failures.length === 0 ? 0 : 1;
}

if (values.help) console.log(usage);
else process.exitCode = await main();
