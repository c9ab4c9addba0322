/**
 * Writes control.json: bytes of every format of the control plane, what they mean, and what a decoder must say
 * of bad ones. Run it only when a format changes on purpose (proto/README.md changes in the same commit):
 * `node test/vectors/make-control.ts && biome format --write test/vectors/control.json`.
 */
import { writeFileSync } from 'node:fs';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { encodeRaftEntry } from '../../src/core/format/raft-message.ts';
import { addCheckpoints } from './control/checkpoints.ts';
import { addCommands } from './control/commands.ts';
import { addJournal, salt } from './control/journal.ts';
import { addLog, log, playedLog } from './control/log.ts';
import { addPlans } from './control/plans.ts';
import { addPolicies } from './control/policies.ts';
import { cluster, genesis, secrets, voters } from './control/samples.ts';
import { VectorList } from './control/vector-list.ts';

const about =
  'Formats of the control plane. Bytes are hexadecimal; in values they stand as { "hex": ".." }. ' +
  'A value encodes to the bytes beside it. Secrets are named by their public keys.';

const list = new VectorList();
addCommands(list);
addLog(list);
addCheckpoints(list);
addPlans(list);
addPolicies(list);
addJournal(list);

const { state, tree } = playedLog();
const file = {
  about,
  genesis: toHex(genesis),
  cluster,
  voters,
  secrets: Object.fromEntries([...secrets].map(([key, secret]) => [key, toHex(secret)])),
  journalSalt: toHex(salt),
  hashes: (['plan', 'control-state', 'recipient', 'share', 'split'] as const).map((purpose) => ({
    purpose,
    text: 'holdfast',
    hash: toHex(hash(purpose, utf8('holdfast'))),
  })),
  log: {
    entries: log.map((entry) => toHex(encodeRaftEntry(entry))),
    voids: state.findings.voids.map(({ index }) => index),
    root: toHex(tree.root()),
    stateHash: toHex(state.hash()),
  },
  vectors: list.all,
};
writeFileSync(new URL('control.json', import.meta.url), `${JSON.stringify(file, undefined, 2)}\n`);
