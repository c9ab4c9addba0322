import type { MessageInitShape } from '@bufbuild/protobuf';
import { toHex } from '../../../base/bytes.ts';
import { decreeFrom } from '../../format/control-body.ts';
import { hexBytes } from '../../format/control-field.ts';
import { decreeMessage } from '../../format/control-message.ts';
import type { CommandId, Decree } from '../../format/control-records.ts';
import { required } from '../../format/field.ts';
import type { DecreeImage, DecreeImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes, idOf } from '../../ids.ts';
import { appendBounded, controlBounds } from './control-bounds.ts';
import { type Change, refusal } from './refusal.ts';

/** A decree that has begun a generation. */
export type DecreeRecord = {
  readonly decree: Decree;
  readonly authors: readonly AgentKey[];
  readonly id: CommandId;
  /** It stands in the log that it has begun. */
  readonly isLogged: boolean;
};

/** The decrees that have led to this generation. */
export class DecreeBook {
  #decrees: DecreeRecord[] = [];

  /** Oldest first. */
  all(): readonly DecreeRecord[] {
    return this.#decrees;
  }

  add(record: DecreeRecord): void {
    appendBounded(this.#decrees, record, controlBounds.decreesMax);
  }

  /** The log of a generation begins with its decree, so that who reads it learns why. */
  check(id: CommandId, isFirst: boolean): Change {
    const last = this.#decrees.at(-1);
    if (!isFirst || last === undefined || last.id !== id) {
      throw refusal('a decree begins the log of a new generation, and stands nowhere else');
    }
    return () => {
      this.#decrees = this.#decrees.map((one) => (one === last ? { ...one, isLogged: true } : one));
    };
  }

  image(): MessageInitShape<typeof DecreeImageSchema>[] {
    return this.#decrees.map(({ decree, authors, id, isLogged }) => ({
      decree: decreeMessage(decree),
      authors: authors.map(idBytes),
      id: hexBytes(id),
      isLogged,
    }));
  }

  load(images: readonly DecreeImage[]): void {
    this.#decrees = images.map(({ decree, authors, id, isLogged }) => ({
      decree: decreeFrom(required(decree, 'decree')),
      authors: authors.map((one) => idOf<AgentKey>(one)),
      id: toHex(id) as CommandId,
      isLogged,
    }));
  }
}
