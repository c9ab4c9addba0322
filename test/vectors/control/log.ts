import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { assert } from '../../../src/base/assert.ts';
import { concat, toHex } from '../../../src/base/bytes.ts';
import { ControlImageSchema } from '../../../src/core/format/gen/holdfast/v1/control_pb.js';
import { encodeLogImage } from '../../../src/core/format/log-image.ts';
import { leafHashOf } from '../../../src/core/format/merkle-log.ts';
import { MerkleRange } from '../../../src/core/format/merkle-range.ts';
import { encodeRaftEntry } from '../../../src/core/format/raft-message.ts';
import { idOf } from '../../../src/core/ids.ts';
import { ControlState } from '../../../src/core/protocol/control/control-state.ts';
import { encodeConfig } from '../../../src/core/protocol/raft/config-codec.ts';
import type { RaftConfig, RaftEntry } from '../../../src/core/protocol/raft/types.ts';
import { agentKey, filled, genesis } from '../../unit/core/format/samples.ts';
import { signedCommand } from './commands.ts';
import { cluster, planBody, policyBody, voters } from './samples.ts';
import { badEncoding, flipped, type VectorList } from './vector-list.ts';

export const founderAlone: RaftConfig = { voters: [agentKey], learners: [] };
const withLearner: RaftConfig = { ...founderAlone, learners: [idOf(filled(40))] };
const large: RaftConfig = { voters, learners: withLearner.learners };

const policy = signedCommand(policyBody, 'the policy of the log').bytes;
const plan = signedCommand(planBody, 'the plan of the log').bytes;
const nothing = new Uint8Array();

/** The third entry is void: it says again what the second has said. */
export const log: readonly RaftEntry[] = [
  { index: 1, term: 1, kind: 'noop', payload: nothing },
  { index: 2, term: 1, kind: 'command', payload: policy },
  { index: 3, term: 1, kind: 'command', payload: policy },
  { index: 4, term: 1, kind: 'config', payload: encodeConfig(withLearner) },
  { index: 5, term: 3, kind: 'command', payload: plan },
  { index: 6, term: 3, kind: 'noop', payload: nothing },
];

/** To what the log leads. */
export function playedLog(): { state: ControlState; tree: MerkleRange } {
  const state = new ControlState(genesis, cluster);
  const tree = MerkleRange.empty();
  for (const entry of log) {
    const { index, term, kind, payload } = entry;
    tree.append(leafHashOf(encodeRaftEntry(entry)));
    if (kind === 'config') state.applyConfig(withLearner, index);
    if (kind === 'command') state.apply({ generation: 1, index, term, envelope: payload });
  }
  const voids = state.findings.voids.map(({ index }) => index);
  assert(voids.join() === '3', 'one entry of the log is void');
  return { state, tree };
}

export function addLog(list: VectorList): void {
  addConfigurations(list);
  addEntries(list);
  addStates(list);
  addImages(list);
}

function addConfigurations(list: VectorList): void {
  const bytes = encodeConfig(large);
  const key = (i: number): Uint8Array => bytes.subarray(2 + 32 * i, 34 + 32 * i);
  const swapped = concat([bytes.subarray(0, 2), key(1), key(0), key(2), key(3)]);
  const both = concat([Uint8Array.of(1, 1), key(0), key(0)]);
  list.add('configuration', 'three voters and a learner', bytes, { value: large });
  list.add('configuration', 'a founder', encodeConfig(founderAlone), { value: founderAlone });
  list.add('configuration', 'not ascending', swapped, badEncoding);
  list.add('configuration', 'a voter that learns', both, badEncoding);
  list.add('configuration', 'a byte too many', concat([bytes, Uint8Array.of(0)]), badEncoding);
  list.add('configuration', 'cut short', bytes.subarray(0, -1), badEncoding);
}

function addEntries(list: VectorList): void {
  for (const entry of log) {
    const bytes = encodeRaftEntry(entry);
    const what = `${entry.index} of the log: ${entry.kind}`;
    list.add('entry', what, bytes, { id: toHex(leafHashOf(bytes)), value: entry });
  }
  const noop = encodeRaftEntry(log[0] as RaftEntry);
  list.add('entry', 'of index 0', concat([Uint8Array.of(8, 0), noop.subarray(2)]), badEncoding);
  list.add('entry', 'of an unknown kind', flipped(noop, -1), badEncoding);
  list.add('entry', 'cut short', noop.subarray(0, -1), badEncoding);
}

function addStates(list: VectorList): void {
  const { state } = playedLog();
  const first = new ControlState(genesis, cluster);
  const bytes = state.encode();
  const id = toHex(state.hash());
  const image = fromBinary(ControlImageSchema, bytes);
  const add = (what: string, some: Uint8Array, more: { id?: string; outcome?: string }): void =>
    list.add('control state', what, some, more);
  add('before the first entry', first.encode(), { id: toHex(first.hash()) });
  add('after the log', bytes, { id });
  for (const found of image.voids) found.reason = 'as another version says it';
  add('the same with its findings in other words', toBinary(ControlImageSchema, image), { id });
  image.voids = [];
  const without = toBinary(ControlImageSchema, image);
  const other = ControlState.decode(without, first.genesis, first.cluster);
  add('the same without its findings', without, { id: toHex(other.hash()) });
  image.members.push(...image.members);
  add('a member twice', toBinary(ControlImageSchema, image), badEncoding);
  add('a field added', concat([bytes, Uint8Array.of(0xa0, 6, 1)]), badEncoding);
}

function addImages(list: VectorList): void {
  const { state, tree } = playedLog();
  const { size, roots } = tree;
  const value = { size, roots, state: state.encode() };
  const bytes = encodeLogImage({ tree, state: value.state });
  const empty = MerkleRange.empty();
  const emptyValue = { size: 0, roots: [], state: filled(1, 3) };
  const emptyBytes = encodeLogImage({ tree: empty, state: emptyValue.state });
  list.add('log image', 'after the log', bytes, { id: toHex(tree.root()), value });
  list.add('log image', 'of no entry', emptyBytes, { id: toHex(empty.root()), value: emptyValue });
  list.add('log image', 'of another version', flipped(bytes, 4), badEncoding);
  list.add('log image', 'a size that does not fit its roots', flipped(bytes, 12), badEncoding);
  list.add('log image', 'cut short', bytes.subarray(0, 40), badEncoding);
}
