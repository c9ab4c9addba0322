import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { conditionKinds } from '../../../src/agent/conditions/condition.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A test in which the fault is there, and one (often the same) in which the alarm ends. */
type Shown = { readonly raised: string; readonly over: string };

const both = (file: string): Shown => ({ raised: file, over: file });
/** Of what has happened once: a person ends them, and that is the same for all. */
const once = (file: string): Shown => ({ raised: file, over: 'unit/services/alarms' });

/** In which test each alarm is caused by its fault. */
const shown: Readonly<Record<string, Shown>> = {
  ...Object.fromEntries(conditionKinds.map((kind) => [kind, both('unit/sim/data/alarms')])),
  // No disk fails on demand: that a store says so is shown in unit/adapters/fs/shard-store.
  'disk-failed': both('unit/agent/conditions/conditions'),
  'drill-missed': both('integration/drills'),
  'drill-overdue': both('integration/drills'),
  'drill-blocked': both('integration/drills'),
  'suspect-snapshot': both('unit/services/tripwire-watch'),
  quarantined: both('unit/services/audit/harm-in-log'),
  'two-histories': both('unit/services/audit/harm-in-log'),
  'deletion-frozen': both('unit/sim/data/alarms-harm'),
  escrow: both('integration/escrow'),
  'shard-damaged': both('unit/sim/data/alarms'),
  'peer-failing': both('unit/sim/data/alarms-harm'),
  'shards-gone': both('unit/sim/data/alarms-harm'),
  'wrong-encoding': {
    raised: 'unit/services/repair/repair-keeper',
    over: 'unit/services/repair/damage-watch',
  },
  'rival-decrees': both('unit/services/control/control-log'),
  'forked-log': both('unit/services/control/vouching'),
  // No newer software is there that could be installed.
  'outdated-software': {
    raised: 'unit/services/control/control-log',
    over: 'unit/services/control/log-troubles',
  },
  'kit-used': once('integration/grants'),
  'bulk-read': once('integration/grants'),
  'over-budget': once('integration/attack-source'),
  'command-refused': once('integration/attack-source'),
  'false-time': once('integration/attack-source'),
  forgery: once('integration/attack-source'),
  'lost-state': once('integration/attack-rollback'),
  'audit-tampered': once('integration/attack-rollback'),
  'lease-program': both('unit/services/plan/lease-alarm'),
  expelled: once('unit/services/farewell'),
};

const declarations = [
  /(?:raise|#tell)\(\{\s*kind: '([a-z-]+)'/g,
  /#raise\(\s*'([a-z-]+)'/g,
  /\balarm = \{\s*kind: '([a-z-]+)'/g,
];

/** Kinds that the program raises, by how each of its places says so. */
function raised(): Set<string> {
  const found = new Set<string>(conditionKinds);
  for (const folder of ['src/agent', 'src/services']) {
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      const text = readFileSync(join(root, folder, file), 'utf8');
      const lists = [
        ...text.matchAll(/^const kinds = \[(.*)\] as const/gm),
        ...text.matchAll(/const standing = \{\n([^}]+)\}/g),
      ];
      if (/settle\(kind/.test(text)) {
        for (const [, list = ''] of lists) {
          for (const [, kind = ''] of list.matchAll(/'?\b([a-z-]+)'?(?:,|:| |$)/g)) found.add(kind);
        }
      }
      for (const pattern of declarations) {
        for (const [, kind = ''] of text.matchAll(pattern)) found.add(kind);
      }
    }
  }
  return found;
}

test('each alarm is caused, and is over, in a test that names it', () => {
  expect([...raised()].sort()).toEqual(Object.keys(shown).sort());
});

test.each(Object.entries(shown))('%s', (kind, { raised: cause, over }) => {
  expect(readFileSync(join(root, 'test', `${cause}.test.ts`), 'utf8')).toContain(kind);
  const text = readFileSync(join(root, 'test', `${over}.test.ts`), 'utf8');
  expect(text).toMatch(over === 'unit/services/alarms' ? /clear/ : new RegExp(kind));
});
