import type { MessageInitShape } from '@bufbuild/protobuf';
import { layoutFrom } from '../../format/control-body.ts';
import { layoutMessage } from '../../format/control-message.ts';
import type { Layout } from '../../format/control-records.ts';
import { required } from '../../format/field.ts';
import { type LayoutImage, LayoutImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import type { AgentKey } from '../../ids.ts';
import { appendBounded, controlBounds } from './control-bounds.ts';
import type { MemberBook } from './member-book.ts';
import { imageOnce } from './record-image.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import { newest, requireNext, type Versioned, versionFrom, versionImage } from './versioned.ts';

/** Which members vote, version by version. */
export class LayoutBook {
  #versions: Versioned<Layout>[] = [
    {
      value: { version: 1, base: 0, mode: 'auto', voters: [] },
      authors: [],
      index: 0,
      timeMs: 0,
    },
  ];

  get current(): Layout {
    return newest(this.#versions).value;
  }

  /** Oldest first, the current one last; at most controlBounds.historyMax. */
  get history(): readonly Versioned<Layout>[] {
    return this.#versions;
  }

  /** @throws HoldfastError not-permitted */
  check(
    layout: Layout,
    authors: readonly AgentKey[],
    context: { readonly place: CommandPlace; readonly members: MemberBook },
  ): Change {
    requireNext(layout, this.current.version);
    for (const voter of layout.voters) {
      const objection = context.members.voterObjection(voter);
      if (objection !== undefined) throw refusal(objection);
    }
    const { index, timeMs } = context.place;
    return () => this.add({ value: layout, authors, index, timeMs });
  }

  add({ value, ...rest }: Versioned<Layout>): void {
    const { version, base, mode, voters } = value;
    const layout = { value: { version, base, mode, voters }, ...rest };
    appendBounded(this.#versions, layout, controlBounds.historyMax);
  }

  image(): MessageInitShape<typeof LayoutImageSchema>[] {
    return this.#versions.map(layoutImage);
  }

  load(images: readonly LayoutImage[]): void {
    this.#versions = images.map((image) => ({
      value: layoutFrom(required(image.layout, 'layout')),
      ...versionFrom(image),
    }));
    required(this.#versions[0], 'layout');
  }
}

const layoutImage = imageOnce(LayoutImageSchema, ({ value, ...rest }: Versioned<Layout>) => ({
  layout: layoutMessage(value),
  ...versionImage(rest),
}));
