import { assertNever } from '../../base/assert.ts';
import type { StatementHash } from '../ids.ts';
import { limits } from '../limits.ts';
import { drainTargetFrom } from './control-drain.ts';
import { agentsFrom, anyCount, reasonFrom, wordFrom } from './control-field.ts';
import { incarnationFrom } from './control-incarnation.ts';
import { keepingFrom } from './control-keeping.ts';
import { isKeyMessage, keyBodyFrom } from './control-keys.ts';
import { controlLimits } from './control-limits.ts';
import { isPlanMessage, planBodyFrom } from './control-plan.ts';
import type { ControlBody, Decree, DrillHead, Layout, PolicyChange } from './control-records.ts';
import { isRestoreMessage, restoreBodyFrom } from './control-restore.ts';
import { isTrustMessage, trustBodyFrom } from './control-trust.ts';
import { boundedBytes, exactBytes, idField, integer, label, malformed } from './field.ts';
import type {
  DecreeCommand,
  LayoutCommand,
  ControlCommand as Message,
  PolicyCommand,
} from './gen/holdfast/v1/control_pb.js';

import { decodeNote } from './signed-note.ts';

/** The body in a message. @throws HoldfastError bad-encoding */
export function bodyFrom(message: Message['body']): ControlBody {
  if (isPlanMessage(message)) return planBodyFrom(message);
  if (isTrustMessage(message)) return trustBodyFrom(message);
  if (isKeyMessage(message)) return keyBodyFrom(message);
  if (isRestoreMessage(message)) return restoreBodyFrom(message);
  switch (message.case) {
    case 'layout':
      return { kind: 'layout', ...layoutFrom(message.value) };
    case 'policy':
      return { kind: 'policy', ...policyFrom(message.value) };
    case 'anchor':
      return { kind: 'anchor', manifests: manifestsFrom(message.value.manifests) };
    case 'siteReport': {
      const state = wordFrom(message.value.state, ['lost', 'seen'], 'state of a site');
      return { kind: 'site-report', site: label(message.value.site, 'site'), state };
    }
    case 'admit': {
      const size = { min: 1, max: controlLimits.statementSizeMax };
      const invite = boundedBytes(message.value.invite, size, 'invite');
      return {
        kind: 'admit',
        invite,
        admission: boundedBytes(message.value.admission, size, 'admission'),
      };
    }
    case 'vouch':
      return { kind: 'vouch', note: noteFrom(message.value.note) };
    case 'decree':
      return { kind: 'decree', ...decreeFrom(message.value) };
    case 'clearSuspect': {
      const manifest = idField<StatementHash>(message.value.manifest, 32, 'manifest');
      return { kind: 'clear-suspect', manifest, reason: reasonFrom(message.value.reason) };
    }
    case 'drill':
      return { kind: 'drill', ...drillHeadFrom(message.value) };
    case 'time':
      return { kind: 'time', logTimeMs: integer(message.value.timeMs, anyTime, 'log time') };
    case 'drain': {
      const { isOver } = message.value;
      return { kind: 'drain', target: drainTargetFrom(message.value), isOver };
    }
    case 'thaw':
    case 'hold':
    case 'release':
    case 'forget':
    case 'undelete':
    case 'expire':
    case 'confirmExpiry':
    case 'unlock':
    case 'quarantine':
    case 'clearQuarantine':
      return keepingFrom(message);
    case 'promote':
    case 'fenceVote':
    case 'demote':
    case 'isolate':
    case 'reinstate':
    case 'abandon':
    case 'lease':
    case 'leaseLapse':
      return incarnationFrom(message);
    case undefined:
      throw malformed('the command says nothing that this version knows');
    default:
      return assertNever(message);
  }
}

/** The head of an agent's drill reports in a message. @throws HoldfastError bad-encoding */
export function drillHeadFrom(message: { sequence: bigint; hash: Uint8Array }): DrillHead {
  return {
    sequence: integer(message.sequence, { min: 1, max: 2 ** 48 }, 'sequence of a drill report'),
    hash: idField<StatementHash>(message.hash, 32, 'drill report'),
  };
}

const anyTime = { min: 1, max: Number.MAX_SAFE_INTEGER };
/** A checkpoint with its signatures; whose they are is for the control state to judge. */
function noteFrom(note: string): string {
  if (note.length > controlLimits.noteLengthMax) throw malformed('a signed note is too long');
  decodeNote(note);
  return note;
}

const anyVersion = { min: 1, max: 0xffff_ffff };

/** The layout in a message. @throws HoldfastError bad-encoding */
export function layoutFrom(message: LayoutCommand): Layout {
  const mode = wordFrom(message.mode, ['auto', 'pinned'], 'mode of a layout');
  const voters = agentsFrom(message.voters, controlLimits.votersMax, 'voters');
  if (voters.length > 0 !== (mode === 'pinned')) {
    throw malformed('a pinned layout names its voters, and only a pinned one');
  }
  return {
    version: integer(message.version, anyVersion, 'version of a layout'),
    base: integer(message.base, { min: 0, max: 0xffff_ffff }, 'base of a layout'),
    mode,
    voters,
  };
}

/** The change of the policy in a message; what its document says is for the control state to judge. @throws HoldfastError bad-encoding */
function policyFrom(message: PolicyCommand): PolicyChange {
  const size = { min: 2, max: controlLimits.policySizeMax };
  return {
    version: integer(message.version, anyVersion, 'version of a policy'),
    base: integer(message.base, { min: 0, max: 0xffff_ffff }, 'base of a policy'),
    document: boundedBytes(message.document, size, 'policy document'),
  };
}

function manifestsFrom(envelopes: Uint8Array[]): Uint8Array[] {
  integer(envelopes.length, { min: 1, max: controlLimits.anchorHeadsMax }, 'count of heads');
  const size = { min: 1, max: limits.statementSizeMax };
  return envelopes.map((envelope) => boundedBytes(envelope, size, 'manifest'));
}

/** The decree in a message. @throws HoldfastError bad-encoding */
export function decreeFrom(message: DecreeCommand): Decree {
  const voters = agentsFrom(message.voters, controlLimits.votersMax, 'voters');
  if (voters.length === 0) throw malformed('a decree names at least one voter');
  const abandoned = agentsFrom(message.abandoned, limits.membersMax, 'abandoned agents');
  if (voters.some((voter) => abandoned.includes(voter))) {
    throw malformed('a decree abandons one of its own voters');
  }
  const notice = { min: 0, max: controlLimits.noticeMaxMs };
  return {
    generation: integer(message.generation, { ...anyCount, min: 2 }, 'generation'),
    voters,
    abandoned,
    logSize: integer(message.logSize, anyCount, 'log size'),
    rootHash: exactBytes(message.rootHash, 32, 'root hash'),
    reason: reasonFrom(message.reason),
    noticeMs: integer(message.noticeMs, notice, 'notice'),
    announcedMs: integer(message.announcedMs, anyCount, 'time of the announcement'),
  };
}
