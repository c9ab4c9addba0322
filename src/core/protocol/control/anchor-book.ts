import type { MessageInitShape } from '@bufbuild/protobuf';
import { headFrom, headMessage } from '../../format/anchor-head.ts';
import type { AnchorHead, BodyOf } from '../../format/control-records.ts';
import { required } from '../../format/field.ts';
import { type AnchorImage, AnchorImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, type ClusterId, type DatasetId, idOf } from '../../ids.ts';
import { openStatement } from '../opened-statement.ts';
import { controlBounds } from './control-bounds.ts';
import { type MemberBook, revokedRoles } from './member-book.ts';
import { imageOnce } from './record-image.ts';
import { type Change, type CommandPlace, contradiction, refusal } from './refusal.ts';

/** A head with the entry that anchored it. */
export type Anchor = { readonly head: AnchorHead; readonly index: number };

/** Why this agent's snapshots count no more; undefined when they do. */
export function writerObjection(members: MemberBook, writer: AgentKey): string | undefined {
  const member = members.of(writer);
  if (member === undefined) return `writer ${writer.slice(0, 8)} is no member`;
  return revokedRoles(member).includes('source')
    ? `"${member.name}" has lost the role source`
    : undefined;
}

/** The newest manifest of each writer's dataset that the log has seen: nobody can hide it afterwards. */
export class AnchorBook {
  readonly #cluster: ClusterId;
  readonly #anchors = new Map<string, Anchor>();

  constructor(cluster: ClusterId) {
    this.#cluster = cluster;
  }

  of(writer: AgentKey, dataset: DatasetId): Anchor | undefined {
    return this.#anchors.get(writer + dataset);
  }

  /** Sorted by writer, then dataset. */
  all(): readonly Anchor[] {
    const sorted = [...this.#anchors].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, anchor]) => anchor);
  }

  /**
   * Takes the heads that are newer. Voters anchor at the same time, so older ones among them are nobody's
   * fault; another hash at one sequence is a fork, and voids the whole command. Each manifest is here with its
   * writer's signature: no voter can fix a history, or accuse of two, that nobody has signed.
   * @throws HoldfastError not-permitted | equivocation | bad-encoding | bad-signature
   */
  check({ manifests }: BodyOf<'anchor'>, members: MemberBook, place: CommandPlace): Change {
    const heads = manifests.map((envelope) => headOf(envelope, this.#cluster));
    requireSorted(heads);
    const newer = heads.filter((head) => this.#isNewer(head));
    if (newer.length === 0) throw refusal('every head in it is anchored already');
    for (const { writer } of newer) {
      const objection = writerObjection(members, writer);
      if (objection !== undefined) throw refusal(objection);
    }
    const added = newer.filter(({ writer, dataset }) => this.of(writer, dataset) === undefined);
    if (this.#anchors.size + added.length > controlBounds.anchorsMax) {
      throw refusal('too many datasets are anchored');
    }
    return () => {
      for (const head of newer) {
        this.#anchors.set(head.writer + head.dataset, { head, index: place.index });
      }
    };
  }

  image(): MessageInitShape<typeof AnchorImageSchema>[] {
    return this.all().map(anchorImage);
  }

  load(images: readonly AnchorImage[]): void {
    this.#anchors.clear();
    for (const { head: message, index } of images) {
      const head = headFrom(required(message, 'head'));
      this.#anchors.set(head.writer + head.dataset, { head, index: Number(index) });
    }
  }

  #isNewer(head: AnchorHead): boolean {
    const known = this.of(head.writer, head.dataset)?.head;
    if (known === undefined || head.sequence > known.sequence) return true;
    if (head.sequence < known.sequence || head.hash === known.hash) return false;
    const name = `${head.dataset.slice(0, 8)} of ${head.writer.slice(0, 8)}`;
    throw contradiction(
      head.writer,
      `dataset ${name} has two manifests ${head.sequence}: ${known.hash} and ${head.hash}`,
    );
  }
}

const anchorImage = imageOnce(AnchorImageSchema, ({ head, index }: Anchor) => ({
  head: headMessage(head),
  index: BigInt(index),
}));

/** The place and name of a signed manifest. @throws HoldfastError bad-encoding | bad-signature | not-permitted */
function headOf(envelope: Uint8Array, cluster: ClusterId): AnchorHead {
  const { statement, hash } = openStatement(envelope, cluster);
  const { body, writer, sequence } = statement;
  if (body.kind !== 'manifest') throw refusal('only manifests are anchored');
  if (body.sequence !== sequence) throw refusal('manifest and statement differ in their sequence');
  return { writer, dataset: body.dataset, sequence, hash: idOf(hash) };
}

function requireSorted(heads: readonly AnchorHead[]): void {
  const keys = heads.map(({ writer, dataset }) => writer + dataset);
  if (keys.every((key, i) => i === 0 || key > (keys[i - 1] as string))) return;
  throw refusal('anchored manifests are not sorted, or of one dataset twice');
}
