import { fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { deriveKey } from '../crypto/derive.ts';
import { HoldfastError } from '../errors.ts';
import { type ClusterId, idOf, type PeerKey } from '../ids.ts';
import { factHash } from './facts.ts';
import { isMultiaddr } from './member.ts';
import type { Contact } from './records.ts';

/** What a person keeps in a safe: enough to restore everything from any surviving members. */
export type RecoveryKit = {
  /** For people; empty when the kit does not say. */
  readonly clusterName: string;
  readonly clusterId: ClusterId;
  /** age identity, AGE-SECRET-KEY-PQ-1... */
  readonly identity: string;
  /** Members when the kit was made; they may have moved since. */
  readonly addresses: readonly Contact[];
  /** For people; 0 when the kit does not say. */
  readonly createdMs: number;
};

const introduction = `# HOLDFAST RECOVERY KIT
#
# Print this page and keep it in a safe. Whoever has it can read every
# backup of this cluster; nothing else is needed, and nothing else helps
# when all operators and sources are lost.
#
# To restore on any machine with Holdfast, save or type this text into a
# file (lines with # may be left out), and run:
#
#   holdfast restore latest --kit FILE --peer ADDRESS -t DIR
#
# FILE is that file and DIR an empty directory. ADDRESS is where any
# member can be reached now; without --peer the ones below are tried.`;

const labelWidth = 14;
const valueWidth = 72 - labelWidth;

/** The kit as plain text for paper, at most 72 columns wide. */
export function formatKit(kit: RecoveryKit): string {
  const lines = [
    introduction,
    '',
    ...field('Cluster name', kit.clusterName),
    ...field('Cluster id', kit.clusterId),
    ...field('Identity', kit.identity),
    ...field('Check', checkOf(kit)),
    ...field('Created', new Date(kit.createdMs).toISOString()),
  ];
  for (const { peer, multiaddrs } of kit.addresses) {
    lines.push('', ...field('Peer', peer));
    for (const multiaddr of multiaddrs) lines.push(...field('Address', multiaddr));
  }
  return `${lines.join('\n')}\n`;
}

/** Values are wrapped anywhere: parsing joins the lines again. */
function field(name: string, value: string): string[] {
  const parts = value.length <= valueWidth ? [value] : (value.match(wrapped) ?? []);
  return parts.map((part, i) => (i === 0 ? `${name}:` : '').padEnd(labelWidth) + part);
}

const wrapped = new RegExp(`.{1,${valueWidth}}`, 'gu');

/** Tells a mistyped id or key from a wrong one: 8 hexadecimal characters over both. */
function checkOf({ clusterId, identity }: Pick<RecoveryKit, 'clusterId' | 'identity'>): string {
  return toHex(factHash(utf8(`${clusterId} ${identity}`)).subarray(0, 4));
}

/**
 * The kit in a text that may have been typed from paper: blank lines, extra spaces, comments and the case of
 * labels do not matter; only the cluster id and the identity must be there.
 * @throws HoldfastError wrong-key, naming the line that is missing or not right
 */
export function parseKit(text: string): RecoveryKit {
  const fields = readFields(text);
  const clusterId = clusterIdFrom(needed(fields, 'cluster id'));
  const identity = identityFrom(needed(fields, 'identity'));
  const check = only(fields, 'check')?.toLowerCase();
  if (check !== undefined && check !== checkOf({ clusterId, identity })) {
    throw refused('"Cluster id" or "Identity" is mistyped: they do not match the line "Check"');
  }
  return {
    clusterName: only(fields, 'cluster name') ?? '',
    clusterId,
    identity,
    addresses: addressesFrom(fields),
    createdMs: createdFrom(only(fields, 'created')),
  };
}

const labels = ['cluster name', 'cluster id', 'identity', 'check', 'created', 'peer', 'address'];

type Label = (typeof labels)[number];
type Field = { readonly label: Label; value: string };

function readFields(text: string): Field[] {
  const fields: Field[] = [];
  text.split(/\r\n|\r|\n/).forEach((raw, i) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const [, name, value = ''] = /^([A-Za-z]+(?:\s+[A-Za-z]+)*)\s*:(?:\s+(.*))?$/.exec(line) ?? [];
    const label = name?.toLowerCase().replace(/\s+/g, ' ');
    const current = fields.at(-1);
    if (label !== undefined && labels.includes(label)) {
      fields.push({ label, value });
    } else if (label === undefined && current !== undefined) {
      // Only names have spaces of their own, and names are never wrapped.
      current.value += line;
    } else {
      throw refused(`line ${i + 1} is not understood: "${line.slice(0, 40)}"`);
    }
  });
  return fields;
}

function only(fields: readonly Field[], label: Label): string | undefined {
  const found = fields.filter((one) => one.label === label);
  if (found.length > 1) throw refused(`the line "${titleOf(label)}" is there twice`);
  return found[0]?.value;
}

function needed(fields: readonly Field[], label: Label): string {
  const value = only(fields, label)?.replace(/\s+/g, '');
  if (value === undefined || value === '') {
    throw refused(`the line "${titleOf(label)}" is missing`);
  }
  return value;
}

function titleOf(label: Label): string {
  return label.charAt(0).toUpperCase() + label.slice(1);
}

function clusterIdFrom(text: string): ClusterId {
  const bytes = fromHex(text);
  if (bytes?.length !== 32) throw notRight('cluster id', '64 hexadecimal characters');
  return idOf(bytes);
}

function identityFrom(text: string): string {
  const identity = text.toUpperCase();
  if (!/^AGE-SECRET-KEY-PQ-1[02-9AC-HJ-NP-Z]{58}$/.test(identity)) {
    throw notRight('identity', 'AGE-SECRET-KEY-PQ-1 and 58 letters and digits');
  }
  return identity;
}

function addressesFrom(fields: readonly Field[]): Contact[] {
  const contacts: { peer: PeerKey; multiaddrs: string[] }[] = [];
  for (const { label, value } of fields) {
    const compact = value.replace(/\s+/g, '');
    if (label === 'peer') {
      const bytes = fromHex(compact);
      if (bytes?.length !== 32) throw notRight('peer', '64 hexadecimal characters');
      contacts.push({ peer: idOf(bytes), multiaddrs: [] });
    } else if (label === 'address') {
      const contact = contacts.at(-1);
      if (contact === undefined) throw refused('the line "Peer" is missing before "Address"');
      if (!isMultiaddr(compact)) throw notRight('address', 'such as /ip4/192.0.2.1/tcp/7420');
      contact.multiaddrs.push(compact);
    }
  }
  return contacts;
}

function createdFrom(text: string | undefined): number {
  if (text === undefined) return 0;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw notRight('created', 'such as 2026-01-31T12:00:00Z');
  return ms;
}

function notRight(label: Label, form: string): HoldfastError {
  return refused(`the line "${titleOf(label)}" is not right: ${form}`);
}

function refused(why: string): HoldfastError {
  return new HoldfastError('wrong-key', `the recovery kit cannot be read: ${why}`, {
    next: 'compare the file with the printed kit',
  });
}

/** The Ed25519 secret (32 bytes) by which the holder of the kit is known on connections. */
export function recoverySecret(identity: string): Uint8Array {
  return deriveKey(utf8(identity), 'holdfast 1 recovery peer');
}
