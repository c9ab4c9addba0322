import { equal, fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { deriveKey } from '../crypto/derive.ts';
import { hash } from '../crypto/hash.ts';
import { HoldfastError } from '../errors.ts';
import { type ClusterId, idBytes } from '../ids.ts';
import { controlLimits } from './control-limits.ts';
import type { SplitId } from './control-records.ts';
import { factHash } from './facts.ts';
import { LabelledText, labelledLines } from './labelled-text.ts';
import type { Contact } from './records.ts';
import { addressesIn, addressLines, clusterIdIn, commonLabels, createdIn } from './recovery-kit.ts';

/** What a split says of itself in every share of it: enough to check the shares of all others. */
export type SplitFacts = {
  readonly clusterId: ClusterId;
  readonly kitVersion: number;
  /** Shares that make the kit. */
  readonly threshold: number;
  /** Hash of each share, in order; 32 bytes each. */
  readonly commitments: readonly Uint8Array[];
};

/** One custodian's part of a recovery kit. */
export type RecoveryShare = SplitFacts & {
  /** For people. */
  readonly clusterName: string;
  /** From 1. */
  readonly share: number;
  readonly holder: string;
  /** Shamir's share of the kit's identity, as text. */
  readonly value: Uint8Array;
  readonly addresses: readonly Contact[];
  readonly createdMs: number;
};

/** Names what a kit was split into. Whoever knows it can check the commitments, and by them every share. */
export function splitId({ clusterId, kitVersion, threshold, commitments }: SplitFacts): SplitId {
  const head = new Uint8Array(6);
  new DataView(head.buffer).setUint32(0, kitVersion);
  head[4] = threshold;
  head[5] = commitments.length;
  return toHex(hash('split', idBytes(clusterId), head, ...commitments)) as SplitId;
}

/** 32 bytes that a share is checked by. */
export function commitmentOf(clusterId: ClusterId, value: Uint8Array): Uint8Array {
  return hash('share', idBytes(clusterId), value);
}

/** True when the share is one that the split committed to. */
export function isCommitted(share: RecoveryShare): boolean {
  const commitment = share.commitments[share.share - 1];
  return commitment !== undefined && equal(commitmentOf(share.clusterId, share.value), commitment);
}

/** The Ed25519 secret (32 bytes) by which a custodian shows that the share is still there. */
export function shareSecret(value: Uint8Array): Uint8Array {
  return deriveKey(value, 'holdfast 1 share proof');
}

const introduction = (threshold: number, count: number): string => `# HOLDFAST RECOVERY SHARE
#
# One of ${count} parts of a recovery kit. Any ${threshold} of them together make the
# kit, which can read every backup of the cluster; fewer tell nothing.
# Keep it as you would keep a key, and give it to nobody who does not
# prove to you that backups must be restored.
#
# Four times a year, show that you still have it, on a custodian's host:
#
#   holdfast key prove FILE
#
# To restore, bring ${threshold} of these together on one machine:
#
#   holdfast restore latest --share FILE --share FILE .. -t DIR`;

/** The share as plain text for paper, at most 72 columns wide. */
export function formatShare(share: RecoveryShare): string {
  const { commitments, threshold, value } = share;
  const lines = [
    introduction(threshold, commitments.length),
    '',
    ...labelledLines('Cluster name', share.clusterName),
    ...labelledLines('Cluster id', share.clusterId),
    ...labelledLines('Kit version', String(share.kitVersion)),
    ...labelledLines('Share', `${share.share} of ${commitments.length}`),
    ...labelledLines('Threshold', String(threshold)),
    ...labelledLines('Holder', share.holder),
    ...labelledLines('Value', toHex(value)),
    ...labelledLines('Commitments', commitments.map(toHex).join('')),
    ...labelledLines('Check', checkOf(share)),
    ...labelledLines('Created', new Date(share.createdMs).toISOString()),
    ...addressLines(share.addresses),
  ];
  return `${lines.join('\n')}\n`;
}

/** Tells a mistyped share from a wrong one: over everything that matters. */
function checkOf(share: Omit<RecoveryShare, 'addresses' | 'createdMs' | 'holder'>): string {
  const text = `${splitId(share)} ${share.share} ${toHex(share.value)}`;
  return toHex(factHash(utf8(text)).subarray(0, 4));
}

const labels = ['kit version', 'share', 'threshold', 'holder', 'value', 'commitments'];
const valueSizeMax = 1024;

/** The share in a text. Whether it is what the split committed to: `isCommitted`. @throws HoldfastError wrong-key */
export function parseShare(text: string): RecoveryShare {
  const labelled = new LabelledText(text, [...labels, ...commonLabels], refused);
  const commitments = commitmentsIn(labelled);
  const count = commitments.length;
  const found = /^(\d{1,2})of(\d{1,2})$/i.exec(labelled.needed('share'));
  const share = Number(found?.[1]);
  if (found === null || Number(found[2]) !== count || share < 1 || share > count) {
    throw labelled.notRight('share', `such as 1 of ${count}`);
  }
  const threshold = numberIn(labelled, 'threshold', count);
  if (threshold < 2) throw labelled.notRight('threshold', '2 or more');
  const value = fromHex(labelled.needed('value').toLowerCase());
  if (value === undefined || value.length < 2 || value.length > valueSizeMax) {
    throw labelled.notRight('value', 'hexadecimal characters');
  }
  const parsed = {
    clusterName: labelled.only('cluster name') ?? '',
    clusterId: clusterIdIn(labelled),
    kitVersion: numberIn(labelled, 'kit version', 0xffff_ffff),
    ...{ share, threshold, commitments, value },
  };
  const check = labelled.only('check')?.toLowerCase();
  if (check !== undefined && check !== checkOf(parsed)) {
    throw refused('a line is mistyped: they do not match the line "Check"');
  }
  const holder = labelled.only('holder') ?? '';
  return { ...parsed, holder, addresses: addressesIn(labelled), createdMs: createdIn(labelled) };
}

function commitmentsIn(labelled: LabelledText): Uint8Array[] {
  const bytes = fromHex(labelled.needed('commitments').toLowerCase());
  const count = (bytes?.length ?? 0) / 32;
  if (bytes === undefined || count < 2 || count > controlLimits.custodiansMax || count % 1 !== 0) {
    throw labelled.notRight('commitments', '64 hexadecimal characters for each share');
  }
  return Array.from({ length: count }, (_, i) => bytes.slice(32 * i, 32 * i + 32));
}

function numberIn(labelled: LabelledText, label: string, max: number): number {
  const text = labelled.needed(label);
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value < 1 || value > max) {
    throw labelled.notRight(label, 'a number');
  }
  return value;
}

function refused(why: string): HoldfastError {
  return new HoldfastError('wrong-key', `the share cannot be read: ${why}`, {
    next: 'compare the file with the printed share',
  });
}
