import type { MessageInitShape } from '@bufbuild/protobuf';
import { assertNever } from '../../base/assert.ts';
import { idBytes } from '../ids.ts';
import { drainMessage } from './control-drain.ts';
import { type BodyMessage, fenceMessage, hexBytes } from './control-field.ts';
import { keepingMessage } from './control-keeping.ts';
import { keyMessage } from './control-keys.ts';
import type { BodyOf, ControlBody, Decree, Layout, RunGrant } from './control-records.ts';
import { isRestoreBody, restoreMessage, sealedMessage } from './control-restore.ts';
import { isTrustBody, trustMessage } from './control-trust.ts';
import type {
  DecreeCommandSchema,
  GrantCommandSchema,
  LayoutCommandSchema,
} from './gen/holdfast/v1/control_pb.js';

const none = new Uint8Array();

/** The message of a body. */
export function bodyMessage(body: ControlBody): BodyMessage {
  if (isTrustBody(body)) return trustMessage(body);
  if (isRestoreBody(body)) return restoreMessage(body);
  switch (body.kind) {
    case 'layout':
      return { case: 'layout', value: layoutMessage(body) };
    case 'policy':
      return {
        case: 'policy',
        value: { version: body.version, base: body.base, document: body.document },
      };
    case 'anchor':
      return { case: 'anchor', value: { manifests: [...body.manifests] } };
    case 'site-report':
      return { case: 'siteReport', value: { site: body.site, state: body.state } };
    case 'admit':
      return { case: 'admit', value: { invite: body.invite, admission: body.admission } };
    case 'vouch':
      return { case: 'vouch', value: { note: body.note } };
    case 'decree':
      return { case: 'decree', value: decreeMessage(body) };
    case 'clear-suspect': {
      const value = { manifest: idBytes(body.manifest), reason: body.reason };
      return { case: 'clearSuspect', value };
    }
    case 'drill': {
      const value = { sequence: BigInt(body.sequence), hash: idBytes(body.hash) };
      return { case: 'drill', value };
    }
    case 'time':
      return { case: 'time', value: { timeMs: BigInt(body.logTimeMs) } };
    case 'drain':
      return drainMessage(body);
    case 'thaw':
    case 'hold':
    case 'release':
    case 'forget':
    case 'undelete':
    case 'expire':
    case 'confirm-expiry':
    case 'unlock':
    case 'quarantine':
    case 'clear-quarantine':
      return keepingMessage(body);
    case 'promote':
    case 'fence-vote':
    case 'demote':
    case 'isolate':
    case 'reinstate':
    case 'abandon':
    case 'lease':
    case 'lease-lapse':
      return incarnationMessage(body);
    case 'plan':
    case 'grant':
    case 'assign':
    case 'mark':
    case 'plan-decision':
      return planMessage(body);
    case 'keys':
    case 'key-destroy':
    case 'split':
    case 'share-proof':
      return keyMessage(body);
    default:
      return assertNever(body);
  }
}

type PlanKind = 'plan' | 'grant' | 'assign' | 'mark' | 'plan-decision';

function planMessage(body: BodyOf<PlanKind>): BodyMessage {
  const plan = body.kind === 'plan' ? body.hash : body.plan;
  const ofRun = { plan: hexBytes(plan) };
  switch (body.kind) {
    case 'plan':
      return { case: 'plan', value: { plan: body.plan, hash: hexBytes(body.hash) } };
    case 'grant':
      return { case: 'grant', value: grantMessage(body) };
    case 'assign': {
      const coordinator = idBytes(body.coordinator);
      return { case: 'assign', value: { ...ofRun, run: body.run, coordinator } };
    }
    case 'mark': {
      const { run, step, attempt, outcome, detail, evidence } = body;
      const ids = { worker: idBytes(body.worker), fence: fenceMessage(body.fence) };
      const value = { ...ofRun, ...ids, run, step, attempt, outcome, detail, evidence };
      return { case: 'mark', value };
    }
    case 'plan-decision': {
      const { run, decision } = body;
      return { case: 'planDecision', value: { ...ofRun, run, decision } };
    }
    default:
      return assertNever(body);
  }
}

type IncarnationKind =
  | 'promote'
  | 'fence-vote'
  | 'demote'
  | 'isolate'
  | 'reinstate'
  | 'abandon'
  | 'lease'
  | 'lease-lapse';

function incarnationMessage(body: BodyOf<IncarnationKind>): BodyMessage {
  const dataset = body.dataset === undefined ? none : idBytes(body.dataset);
  switch (body.kind) {
    case 'promote': {
      const { name, incarnation, run, step } = body;
      const ids = { dataset, target: idBytes(body.target), plan: hexBytes(body.plan) };
      const value = { ...ids, name, incarnation, run, step, fence: fenceMessage(body.fence) };
      return { case: 'promote', value };
    }
    case 'fence-vote': {
      const target = body.target === undefined ? none : idBytes(body.target);
      const generation = BigInt(body.generation);
      const { incarnation } = body;
      const value = { dataset, incarnation, generation, target, fence: fenceMessage(body.fence) };
      return { case: 'fenceVote', value };
    }
    case 'demote':
      return { case: 'demote', value: { dataset, incarnation: body.incarnation } };
    case 'lease': {
      const { incarnation } = body;
      return { case: 'lease', value: { dataset, incarnation, forMs: BigInt(body.forMs) } };
    }
    case 'lease-lapse': {
      const [generation, index] = [BigInt(body.generation), BigInt(body.index)];
      const { incarnation } = body;
      return { case: 'leaseLapse', value: { dataset, incarnation, generation, index } };
    }
    case 'isolate': {
      const value = { agent: idBytes(body.agent), dataset, reason: body.reason };
      return { case: 'isolate', value };
    }
    case 'reinstate':
      return { case: 'reinstate', value: { agent: idBytes(body.agent), dataset } };
    case 'abandon': {
      const { incarnation, reason } = body;
      return { case: 'abandon', value: { dataset, incarnation, reason } };
    }
    default:
      return assertNever(body);
  }
}

/** The message of a layout. */
export function layoutMessage(layout: Layout): MessageInitShape<typeof LayoutCommandSchema> {
  const { version, base, mode } = layout;
  return { version, base, mode, voters: layout.voters.map(idBytes) };
}

/** The message of a grant. */
export function grantMessage(grant: RunGrant): MessageInitShape<typeof GrantCommandSchema> {
  const { run, sealed } = grant;
  const ids = { plan: hexBytes(grant.plan), run, agent: idBytes(grant.agent) };
  return { ...ids, ...sealedMessage(sealed), lastsMs: BigInt(grant.lastsMs) };
}

/** The message of a decree. */
export function decreeMessage(decree: Decree): MessageInitShape<typeof DecreeCommandSchema> {
  return {
    generation: BigInt(decree.generation),
    voters: decree.voters.map(idBytes),
    abandoned: decree.abandoned.map(idBytes),
    logSize: BigInt(decree.logSize),
    rootHash: decree.rootHash,
    reason: decree.reason,
    noticeMs: BigInt(decree.noticeMs),
    announcedMs: BigInt(decree.announcedMs),
  };
}
