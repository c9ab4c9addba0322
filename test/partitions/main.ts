import { runInside } from './namespaces.ts';

const usage = `node test/partitions/main.ts [--rounds N] [--seed N] [--scenario NAME] [--out DIR]
  Real agents in network namespaces: partitions, kills, pauses; needs root, iproute2, nftables.
  --rounds N       restore plans that are carried out amid trouble (default: 20)
  --seed N         of the first round; the next has the next number (default: 1)
  --scenario NAME  failover (how fast another leads), rounds, or all (default)
  --kills N        leaders killed by "failover" (default: 30)
  --minutes N      no round begins after this long (default: 60)
  --out DIR        reports as JSON, and the agents' logs of rounds that failed
`;

const args = process.argv.slice(2);
if (args.includes('--help')) console.log(usage);
else process.exitCode = await runInside(new URL('./inside.ts', import.meta.url), args);
