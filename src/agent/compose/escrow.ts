import { ageSealer } from '../../adapters/age/sealer.ts';
import {
  combineShares as combineValues,
  splitSecret,
} from '../../adapters/shamir/secret-sharing.ts';
import { systemClock, systemEntropy } from '../../adapters/system/runtime.ts';
import { fromUtf8, toHex, utf8 } from '../../base/bytes.ts';
import type {
  CombineReport,
  ProofReport,
  ShareText,
  SplitOptions,
  SplitReport,
} from '../../cli/backend.ts';
import { publicKeyOf } from '../../core/crypto/signature.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { sealCommand } from '../../core/format/control-envelope.ts';
import type { CommandId } from '../../core/format/control-records.ts';
import { recipientId } from '../../core/format/key-record.ts';
import { formatKit, parseKit } from '../../core/format/recovery-kit.ts';
import {
  commitmentOf,
  formatShare,
  isCommitted,
  parseShare,
  type RecoveryShare,
  shareSecret,
  splitId,
} from '../../core/format/recovery-share.ts';
import { type AgentKey, idOf } from '../../core/ids.ts';
import type { AgentApi } from '../api.ts';
import { submitAsOperator } from './operator.ts';

/** Splits the kit in force; the shares are kept before operators commit to them. */
export async function splitKit(options: SplitOptions, api: AgentApi): Promise<SplitReport> {
  const { custodians, threshold } = options;
  const kit = parseKit(options.kitText);
  const sealer = ageSealer();
  const { kit: inForce } = await api.keys();
  const id = recipientId(await sealer.recipientOf(kit.identity));
  if (!id.startsWith(inForce.id)) {
    throw new HoldfastError(
      'wrong-key',
      'this kit is not in force any more: its shares would open nothing',
      {
        next: 'give the newest kit: --kit FILE',
      },
    );
  }
  const secret = utf8(kit.identity);
  const values = await splitSecret(secret, { threshold, count: custodians.length });
  secret.fill(0);
  const { clusterId, clusterName, addresses } = kit;
  const commitments = values.map((value) => commitmentOf(clusterId, value));
  const createdMs = systemClock().nowMs();
  const common = { clusterId, clusterName, addresses, createdMs, threshold, commitments };
  const files = await Promise.all(
    custodians.map(async ({ name, recipient }, i) => {
      const value = values[i] as Uint8Array;
      const share = { ...common, kitVersion: inForce.version, share: i + 1, holder: name, value };
      const text = utf8(formatShare(share));
      const bytes = recipient === undefined ? text : await sealer.seal([recipient], text);
      return { name, share: i + 1, bytes, isSealed: recipient !== undefined };
    }),
  );
  await options.keep(files);
  const command = await submitAsOperator(
    {
      ...options,
      body: {
        kind: 'split',
        kitVersion: inForce.version,
        threshold,
        custodians: custodians.map(({ name }, i) => ({
          name,
          commitment: commitments[i] as Uint8Array,
          key: idOf<AgentKey>(publicKeyOf(shareSecret(values[i] as Uint8Array))),
        })),
      },
    },
    api,
  );
  return {
    command,
    id: splitId({ clusterId, kitVersion: inForce.version, threshold, commitments }),
  };
}

/** The kit out of enough shares, in this process alone. @throws HoldfastError key-needed | wrong-key, naming bad shares */
export async function combineKit(texts: readonly ShareText[]): Promise<CombineReport> {
  const problems: string[] = [];
  const { shares, facts } = agreeing(readAll(texts, problems), problems);
  const good = new Map<number, RecoveryShare>();
  for (const { share, file } of shares) {
    if (isCommitted(share)) good.set(share.share, share);
    else problems.push(badShare(share, file));
  }
  const { threshold, commitments } = facts;
  if (good.size < threshold) throw tooFew(good.size, facts, problems);
  const values = [...good.values()].slice(0, threshold).map(({ value }) => value);
  const identity = fromUtf8(await combineValues(values)) ?? '';
  try {
    await ageSealer().recipientOf(identity);
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    const why = 'these shares fit each other and make no kit: the split itself was forged';
    throw new HoldfastError('wrong-key', why, {
      next: 'ask the custodians for older shares',
      cause,
    });
  }
  const { clusterName, clusterId, addresses } = facts;
  const kitText = formatKit({
    ...{ clusterName, clusterId, addresses, identity },
    createdMs: systemClock().nowMs(),
  });
  const used = [...good.values()]
    .slice(0, threshold)
    .map(({ share, holder }) => ({ share, holder }));
  return { kitText, problems, clusterName, threshold, count: commitments.length, used };
}

type Read = { readonly share: RecoveryShare; readonly file: string };

function readAll(texts: readonly ShareText[], problems: string[]): Read[] {
  const read: Read[] = [];
  for (const { file, text } of texts) {
    try {
      read.push({ share: parseShare(text), file });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      problems.push(`${file}: ${error.message}`);
    }
  }
  return read;
}

/** Those of the split that most of them are of: a forged share may name commitments of its own. */
function agreeing(
  read: readonly Read[],
  problems: string[],
): { shares: readonly Read[]; facts: RecoveryShare } {
  const groups = [...Map.groupBy(read, ({ share }) => splitId(share)).values()];
  groups.sort((a, b) => b.length - a.length);
  const [most, next] = groups;
  const first = most?.[0];
  if (most === undefined || first === undefined) {
    throw new HoldfastError(
      'wrong-key',
      `there is no share among them\n  ${problems.join('\n  ')}`,
      {
        next: 'holdfast key combine SHARE SHARE ..',
      },
    );
  }
  if (next !== undefined && next.length === most.length) {
    const names = read.map(({ share, file }) => `${file}: split ${splitId(share).slice(0, 8)}`);
    throw new HoldfastError('wrong-key', `these are of different splits\n  ${names.join('\n  ')}`, {
      next: 'holdfast key list tells which split counts',
    });
  }
  for (const { share, file } of groups.slice(1).flat()) {
    const id = splitId(share).slice(0, 8);
    problems.push(`${file}: a share of another split (${id}), or one whose commitments are forged`);
  }
  return { shares: most, facts: first.share };
}

function badShare(share: RecoveryShare, file: string): string {
  const commitment = toHex(share.commitments[share.share - 1] ?? new Uint8Array()).slice(0, 12);
  return `${file}: share ${share.share} of ${share.holder} is not the one that was committed to (${commitment}): it is damaged or forged`;
}

function tooFew(
  good: number,
  { threshold, commitments }: RecoveryShare,
  problems: readonly string[],
): HoldfastError {
  const bad = problems.length === 0 ? '' : `\n  ${problems.join('\n  ')}`;
  const why = `${good} of the ${threshold} shares that make the kit are here: fewer open nothing${bad}`;
  return new HoldfastError('key-needed', why, {
    next: `ask more of the ${commitments.length} custodians: holdfast key list names them`,
  });
}

/** Signed by the share itself: who runs this has it. @throws HoldfastError wrong-key | not-permitted | no-quorum */
export async function proveShare(text: string, api: AgentApi): Promise<ProofReport> {
  const share = parseShare(text);
  if (!isCommitted(share)) throw new HoldfastError('wrong-key', badShare(share, 'this file'));
  const { clusterId } = await api.identity();
  if (clusterId !== share.clusterId) {
    throw new HoldfastError('wrong-key', 'this share is of another cluster than this host');
  }
  const { generation } = await api.coordinator();
  const { bytes } = sealCommand({
    command: {
      id: toHex(systemEntropy().bytes(16)) as CommandId,
      timeMs: systemClock().nowMs(),
      body: { kind: 'share-proof', split: splitId(share), share: share.share },
    },
    cluster: share.clusterId,
    generation,
    secrets: [shareSecret(share.value)],
  });
  const command = await api.submitCommand({ envelope: Buffer.from(bytes).toString('base64') });
  return { command, share: share.share, holder: share.holder };
}
