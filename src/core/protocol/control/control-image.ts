import type { MessageInitShape } from '@bufbuild/protobuf';
import { equal, toHex } from '../../../base/bytes.ts';
import { hash } from '../../crypto/hash.ts';
import type { CommandId } from '../../format/control-records.ts';
import { decodeMessage, malformed } from '../../format/field.ts';
import { type ControlImage, ControlImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import type { ClusterId } from '../../ids.ts';
import type { AnchorBook } from './anchor-book.ts';
import type { ClearedBook } from './cleared-book.ts';
import type { ConfigBook } from './config-book.ts';
import { controlBounds } from './control-bounds.ts';
import type { DecreeBook } from './decree-book.ts';
import type { DrillBook } from './drill-book.ts';
import type { EscrowBook } from './escrow-book.ts';
import type { FateBook } from './fate-book.ts';
import { fateImages, fatesFrom } from './fate-image.ts';
import type { FormatBook } from './format-book.ts';
import type { FindingBook } from './finding-book.ts';
import type { HoldBook } from './hold-book.ts';
import { encodeImage } from './image-encoding.ts';
import type { IncarnationBook } from './incarnation-book.ts';
import { datasetImages, datasetsFrom } from './incarnation-image.ts';
import type { KeyBook } from './key-book.ts';
import { keysImage, loadKeys } from './key-image.ts';
import type { LayoutBook } from './layout-book.ts';
import type { LeaseBook } from './lease-book.ts';
import type { MemberBook } from './member-book.ts';
import type { OperatorBook } from './operator-book.ts';
import type { PlanBook } from './plan-book.ts';
import { finishedFrom, finishedImages, planImages, plansFrom } from './plan-image.ts';
import type { PolicyBook } from './policy-book.ts';
import type { ProposalBook } from './proposal-book.ts';
import { proposalFrom, proposalImage } from './proposal-image.ts';
import type { RestoreGrantBook } from './restore-grant-book.ts';
import { restoreGrantFrom, restoreGrantImage } from './restore-grant-image.ts';
import type { SiteBook } from './site-book.ts';
import type { ThawBook } from './thaw-book.ts';
import type { DrainBook } from './drain-book.ts';
import type { TimeBook } from './time-book.ts';
import type { VouchBook } from './vouch-book.ts';

/** What an image is made of; a ControlState has all of it. */
export type ControlParts = {
  readonly position: LogPosition;
  readonly config: ConfigBook;
  readonly members: MemberBook;
  readonly layout: LayoutBook;
  readonly policy: PolicyBook;
  readonly plans: PlanBook;
  readonly incarnations: IncarnationBook;
  readonly leases: LeaseBook;
  readonly anchors: AnchorBook;
  readonly sites: SiteBook;
  readonly decrees: DecreeBook;
  readonly vouches: VouchBook;
  readonly findings: FindingBook;
  readonly format: FormatBook;
  readonly time: TimeBook;
  readonly operators: OperatorBook;
  readonly proposals: ProposalBook;
  readonly cluster: ClusterId;
  knownIdBytes(): Uint8Array[];
  readonly cleared: ClearedBook;
  readonly keys: KeyBook;
  readonly escrow: EscrowBook;
  readonly thaws: ThawBook;
  readonly drains: DrainBook;
  readonly holds: HoldBook;
  readonly drills: DrillBook;
  readonly fates: FateBook;
  readonly restoreGrants: RestoreGrantBook;
  knownIds(): readonly CommandId[];
  resume(position: LogPosition, knownIds: readonly CommandId[]): void;
};

/** Where a state stands in its log. */
export type LogPosition = {
  readonly generation: number;
  readonly lastIndex: number;
  /** Commands of this generation, void ones included. */
  readonly commandCount: number;
};

/** The bytes of a whole state. */
export function encodeParts(parts: ControlParts): Uint8Array {
  return encodeImage({ ...imageOf(parts), ...parts.findings.image() });
}

/** Fills a fresh state from the bytes of another. @throws HoldfastError bad-encoding | outdated-software */
export function loadParts(parts: ControlParts, bytes: Uint8Array): void {
  load(parts, decodeMessage(ControlImageSchema, bytes, controlBounds.imageSizeMax));
  if (!equal(encodeParts(parts), bytes)) {
    throw malformed('the control state is not encoded in the one allowed way');
  }
}

/** 32 bytes over a whole state but the words of its findings. */
export function hashParts(parts: ControlParts): Uint8Array {
  return hash('control-state', encodeImage({ ...imageOf(parts), ...parts.findings.substance() }));
}

/** All but the findings. */
function imageOf(state: ControlParts): MessageInitShape<typeof ControlImageSchema> {
  const { generation, lastIndex, commandCount } = state.position;
  const keys = keysImage(state.keys, state.escrow);
  return {
    generation: BigInt(generation),
    lastIndex: BigInt(lastIndex),
    commandCount: BigInt(commandCount),
    knownIds: state.knownIdBytes(),
    ...state.config.image(),
    members: state.members.image(),
    layouts: state.layout.image(),
    policies: state.policy.image(),
    plans: planImages(state.plans),
    finished: finishedImages(state.plans),
    datasets: datasetImages(state.incarnations),
    isolations: state.incarnations.isolations.image(),
    leases: state.leases.image(),
    anchors: state.anchors.image(),
    sites: state.sites.image(),
    decrees: state.decrees.image(),
    vouches: state.vouches.image(),
    ...state.time.image(),
    cleared: state.cleared.image(),
    proposals: state.proposals.all().map(proposalImage),
    operators: state.operators.image(),
    ...(keys === undefined ? {} : { keys }),
    thaws: state.thaws.image(),
    drains: state.drains.image(),
    holds: state.holds.image(),
    fates: fateImages(state.fates.all()),
    drills: state.drills.image(),
    format: state.format.image(),
    restoreGrants: state.restoreGrants.all().map(restoreGrantImage),
  };
}

function load(state: ControlParts, image: ControlImage): void {
  // First: an image of a later format may hold what cannot be read here.
  state.format.load(image.format);
  const knownIds = image.knownIds.map((id) => toHex(id) as CommandId);
  const { generation, lastIndex, commandCount } = image;
  state.resume(
    {
      generation: Number(generation),
      lastIndex: Number(lastIndex),
      commandCount: Number(commandCount),
    },
    knownIds,
  );
  state.config.load(image);
  state.members.load(image.members);
  state.layout.load(image.layouts);
  state.policy.load(image.policies);
  state.operators.load(image.operators);
  state.proposals.load(image.proposals.map((one) => proposalFrom(one, state.cluster)));
  state.plans.load(plansFrom(image.plans), finishedFrom(image.finished));
  state.incarnations.load(datasetsFrom(image.datasets));
  state.incarnations.isolations.load(image.isolations);
  state.leases.load(image.leases);
  state.anchors.load(image.anchors);
  state.sites.load(image.sites);
  state.decrees.load(image.decrees);
  const first = state.decrees.all().at(-1)?.decree.voters ?? state.vouches.voters;
  state.vouches.load(image.vouches, first);
  state.findings.load(image);
  state.time.load(image);
  state.cleared.load(image.cleared);
  loadKeys(state, image.keys);
  state.thaws.load(image.thaws);
  state.drains.load(image.drains);
  state.holds.load(image.holds);
  state.fates.load(fatesFrom(image.fates));
  state.drills.load(image.drills);
  state.restoreGrants.load(image.restoreGrants.map(restoreGrantFrom));
}
