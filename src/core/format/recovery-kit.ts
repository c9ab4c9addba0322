import { fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { deriveKey } from '../crypto/derive.ts';
import { HoldfastError } from '../errors.ts';
import { type ClusterId, idOf, type PeerKey } from '../ids.ts';
import { factHash } from './facts.ts';
import { LabelledText, labelledLines } from './labelled-text.ts';
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

/** The kit as plain text for paper, at most 72 columns wide. */
export function formatKit(kit: RecoveryKit): string {
  const lines = [
    introduction,
    '',
    ...labelledLines('Cluster name', kit.clusterName),
    ...labelledLines('Cluster id', kit.clusterId),
    ...labelledLines('Identity', kit.identity),
    ...labelledLines('Check', checkOf(kit)),
    ...labelledLines('Created', new Date(kit.createdMs).toISOString()),
  ];
  lines.push(...addressLines(kit.addresses));
  return `${lines.join('\n')}\n`;
}

/** Tells a mistyped id or key from a wrong one: 8 hexadecimal characters over both. */
function checkOf({ clusterId, identity }: Pick<RecoveryKit, 'clusterId' | 'identity'>): string {
  return toHex(factHash(utf8(`${clusterId} ${identity}`)).subarray(0, 4));
}

/**
 * The kit in a text that may have been typed from paper; only the cluster id and the identity must be there.
 * @throws HoldfastError wrong-key, naming the line that is missing or not right
 */
export function parseKit(text: string): RecoveryKit {
  const labelled = new LabelledText(text, ['identity', ...commonLabels], refused);
  const clusterId = clusterIdIn(labelled);
  const identity = labelled.needed('identity').toUpperCase();
  if (!/^AGE-SECRET-KEY-PQ-1[02-9AC-HJ-NP-Z]{58}$/.test(identity)) {
    throw labelled.notRight('identity', 'AGE-SECRET-KEY-PQ-1 and 58 letters and digits');
  }
  const check = labelled.only('check')?.toLowerCase();
  if (check !== undefined && check !== checkOf({ clusterId, identity })) {
    throw refused('"Cluster id" or "Identity" is mistyped: they do not match the line "Check"');
  }
  return {
    clusterName: labelled.only('cluster name') ?? '',
    clusterId,
    identity,
    addresses: addressesIn(labelled),
    createdMs: createdIn(labelled),
  };
}

/** What kits and their shares have in common. */
export const commonLabels = ['cluster name', 'cluster id', 'check', 'created', 'peer', 'address'];

/** @throws HoldfastError wrong-key */
export function clusterIdIn(labelled: LabelledText): ClusterId {
  const bytes = fromHex(labelled.needed('cluster id'));
  if (bytes?.length !== 32) throw labelled.notRight('cluster id', '64 hexadecimal characters');
  return idOf(bytes);
}

/** @throws HoldfastError wrong-key */
export function addressesIn(labelled: LabelledText): Contact[] {
  const contacts: { peer: PeerKey; multiaddrs: string[] }[] = [];
  for (const { label, value } of labelled.fields) {
    const compact = value.replace(/\s+/g, '');
    if (label === 'peer') {
      const bytes = fromHex(compact);
      if (bytes?.length !== 32) throw labelled.notRight('peer', '64 hexadecimal characters');
      contacts.push({ peer: idOf(bytes), multiaddrs: [] });
    } else if (label === 'address') {
      const contact = contacts.at(-1);
      if (contact === undefined) throw labelled.missing('peer', 'address');
      const form = 'such as /ip4/192.0.2.1/tcp/7420';
      if (!isMultiaddr(compact)) throw labelled.notRight('address', form);
      contact.multiaddrs.push(compact);
    }
  }
  return contacts;
}

/** @returns 0 when it does not say. @throws HoldfastError wrong-key */
export function createdIn(labelled: LabelledText): number {
  const text = labelled.only('created');
  if (text === undefined) return 0;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw labelled.notRight('created', 'such as 2026-01-31T12:00:00Z');
  return ms;
}

/** The lines that say where members can be reached. */
export function addressLines(addresses: readonly Contact[]): string[] {
  return addresses.flatMap(({ peer, multiaddrs }) => [
    '',
    ...labelledLines('Peer', peer),
    ...multiaddrs.flatMap((multiaddr) => labelledLines('Address', multiaddr)),
  ]);
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
