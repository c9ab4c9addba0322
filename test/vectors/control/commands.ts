import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { concat, toHex } from '../../../src/base/bytes.ts';
import { encodeCommand } from '../../../src/core/format/control-command.ts';
import { sealCommand } from '../../../src/core/format/control-envelope.ts';
import type { ControlBody } from '../../../src/core/format/control-records.ts';
import { sealEnvelope } from '../../../src/core/format/envelope.ts';
import { ControlCommandSchema } from '../../../src/core/format/gen/holdfast/v1/control_pb.js';
import { idBytes, idOf } from '../../../src/core/ids.ts';
import { agentKey, agentSecret, filled, operatorSecret } from '../../unit/core/format/samples.ts';
import { bodies, cluster, commandOf, operatorKey } from './samples.ts';
import { badEncoding, badSignature, flipped, type VectorList } from './vector-list.ts';

const byAgent = [
  'assign',
  'mark',
  'promote',
  'fence-vote',
  'demote',
  'lease',
  'lease-lapse',
  'anchor',
  'site-report',
  'admit',
  'share-proof',
  'time',
  'expire',
  'confirm-expiry',
  'quarantine',
  'drill',
  'restore-request',
  'restore-use',
  'restore-end',
];

/** A command as the one who may say it has signed it. */
export function signedCommand(body: ControlBody, name: string) {
  const isAgents = byAgent.includes(body.kind);
  const generation = body.kind === 'decree' ? body.generation : 1;
  const command = commandOf(body, name);
  const secrets = [isAgents ? agentSecret : operatorSecret];
  const { bytes, hash } = sealCommand({ command, cluster, generation, secrets });
  const value = { generation, signers: [isAgents ? agentKey : operatorKey], command };
  return { bytes, id: toHex(hash), value };
}

export function addCommands(list: VectorList): void {
  for (const [i, body] of bodies.entries()) {
    const { bytes, ...more } = signedCommand(body, `command ${i}`);
    list.add('command', body.kind, bytes, more);
  }
  addBadEnvelopes(list);
  addBadMessages(list);
}

const dataset = idOf<never>(filled(7, 16));
const demote = commandOf({ kind: 'demote', dataset, incarnation: 3 }, 'of the malformed');
const payload = encodeCommand(demote);
const envelope = { type: 'control', cluster, generation: 1n, payload } as const;

function seal(change: Partial<Parameters<typeof sealEnvelope>[0]>): Uint8Array {
  return sealEnvelope({ ...envelope, secrets: [agentSecret], ...change }).bytes;
}

function addBadEnvelopes(list: VectorList): void {
  const good = seal({});
  const more = (...bytes: number[]) => ({ payload: concat([payload, Uint8Array.from(bytes)]) });
  list.add('command', 'a signature changed', flipped(good, -1), badSignature);
  list.add('command', 'signed as a statement', seal({ type: 'statement' }), badSignature);
  list.add('command', 'of another cluster', seal({ cluster: idOf(filled(22)) }), badSignature);
  list.add('command', 'unsigned', seal({ secrets: [] }), badSignature);
  list.add('command', 'cut short', good.subarray(0, -1), badEncoding);
  list.add('command', 'a field added outside', concat([good, Uint8Array.of(48, 1)]), badEncoding);
  list.add('command', 'a field added inside', seal(more(0xa0, 0x06, 0x01)), badEncoding);
  list.add('command', 'its id twice', seal(more(...payload.subarray(0, 18))), badEncoding);
  list.add('command', 'of generation 0', seal({ generation: 0n }), badEncoding);
}

type Message = MessageInitShape<typeof ControlCommandSchema>;

function addBadMessages(list: VectorList): void {
  const add = (what: string, change: Message): void => {
    const message = create(ControlCommandSchema, { id: filled(1, 16), timeMs: 1n, ...change });
    const bytes = seal({ payload: toBinary(ControlCommandSchema, message) });
    list.add('command', what, bytes, badEncoding);
  };
  const body = create(ControlCommandSchema, {
    body: { case: 'demote', value: { dataset: filled(7, 16) } },
  }).body;
  const pinned = { version: 2, base: 1, mode: 'pinned' };
  const eight = Array.from({ length: 8 }, (_, i) => filled(i));
  const decree = { generation: 1n, voters: [filled(1)], rootHash: filled(2), reason: 'lost' };
  add('that says nothing', {});
  add('an id of 15 bytes', { body, id: filled(1, 15) });
  add('a time before 1970', { body, timeMs: -1n });
  add('a pinned layout of nobody', { body: { case: 'layout', value: pinned } });
  add('eight voters', { body: { case: 'layout', value: { ...pinned, voters: eight } } });
  add('an empty manifest', {
    body: { case: 'anchor', value: { manifests: [filled(9), new Uint8Array()] } },
  });
  const touching = [
    { first: 1n, last: 1n },
    { first: 2n, last: 3n },
  ];
  const streamed = { writer: idBytes(agentKey), dataset: filled(7, 16), reason: 'old' };
  add('ranges that touch', {
    body: { case: 'forget', value: { ...streamed, ranges: touching } },
  });
  add('no snapshot at all', { body: { case: 'undelete', value: streamed } });
  add('a time that is none', { body: { case: 'time', value: {} } });
  const operator = { name: 'Ada', key: filled(1) };
  const operators = { version: 2, base: 1, threshold: 1, operators: [operator, operator] };
  const roles = { agent: filled(1), add: ['auditor'], remove: ['auditor'] };
  const proposal = { command: filled(1), lastsMs: 59_999n };
  add('an operator twice', { body: { case: 'operators', value: operators } });
  add('a threshold that nobody can meet', {
    body: { case: 'operators', value: { ...operators, threshold: 2, operators: [operator] } },
  });
  add('a role given and taken', { body: { case: 'roles', value: roles } });
  add('no role given or taken', { body: { case: 'roles', value: { agent: filled(1) } } });
  add('a proposal of less than a minute', { body: { case: 'propose', value: proposal } });
  add('an expulsion without a reason', { body: { case: 'expel', value: { agent: filled(1) } } });
  add('an approval of nothing', { body: { case: 'approve', value: {} } });
  add('a decree of generation 1', { body: { case: 'decree', value: decree } });
}
