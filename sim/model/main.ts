import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Result } from './csv.ts';
import { durabilityResults } from './durability-results.ts';
import { epidemicResults } from './epidemic-results.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: 'docs/model' },
  },
});

const usage = 'node sim/model/main.ts durability|epidemic [--seed N] [--quick] [--out DIR]';

function results(): Result[] | undefined {
  const options = { seed: Number(values.seed), isQuick: values.quick };
  const [what] = positionals;
  if (!Number.isInteger(options.seed)) return undefined;
  if (what === 'durability') return durabilityResults(options);
  if (what === 'epidemic') return epidemicResults({ ...options, say: console.log });
  return undefined;
}

const files = results();
if (files === undefined) {
  console.error(usage);
  process.exitCode = 2;
} else {
  mkdirSync(values.out, { recursive: true });
  for (const { name, text } of files) {
    writeFileSync(`${values.out}/${name}`, text);
    console.log(`${values.out}/${name}`);
  }
}
