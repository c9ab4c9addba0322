import {
  create,
  type DescField,
  type DescMessage,
  isMessage,
  type MessageInitShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { assert } from '../../../base/assert.ts';
import { concat } from '../../../base/bytes.ts';
import { ControlImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';

type Init = MessageInitShape<typeof ControlImageSchema>;
/** Appends a field with its tag. */
type Write = (pieces: Uint8Array[], value: unknown) => void;

/** Keeps its memory; empty whenever nobody is writing a field. */
const shared = new BinaryWriter();

/**
 * The bytes of an image, as the codec writes them. A state is encoded far more often than most of its records change:
 * of those that come as messages (see `imageOnce`), each is encoded once. The pieces are joined in the end, since a
 * writer that grows copies what it has again and again.
 */
export function encodeImage(image: Init): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const { name, write } of fields) {
    const value = image[name];
    if (value !== undefined) write(pieces, value);
  }
  return concat(pieces);
}

/** In the order of their numbers, which is that of the codec. */
const fields = ControlImageSchema.fields
  .toSorted((a, b) => a.number - b.number)
  .map((field) => ({ name: field.localName as keyof Init, write: fieldWriter(field) }));

function fieldWriter(field: DescField): Write {
  if (field.fieldKind === 'scalar') return unlessZero(scalarWriter(field.number, field.scalar));
  if (field.fieldKind === 'message') return messageWriter(field.number, field.message);
  assert(field.fieldKind === 'list' && field.listKind !== 'enum', 'an image has no maps or enums');
  if (field.listKind === 'scalar') return scalarsWriter(field.number, field.scalar);
  const write = messageWriter(field.number, field.message);
  return (pieces, items) => {
    for (const item of items as readonly object[]) write(pieces, item);
  };
}

/** A field alone is left out when it says nothing; an item of a list never is. */
function unlessZero(write: Write): Write {
  return (pieces, value) => {
    if (value !== 0n && value !== 0) write(pieces, value);
  };
}

function scalarWriter(number: number, type: ScalarType): Write {
  return (pieces, value) => {
    pieces.push(writeScalar(shared, { number, type, value }).finish());
  };
}

function writeScalar(
  writer: BinaryWriter,
  { number, type, value }: { number: number; type: ScalarType; value: unknown },
): BinaryWriter {
  switch (type) {
    case ScalarType.BYTES:
      return writer.tag(number, WireType.LengthDelimited).bytes(value as Uint8Array);
    case ScalarType.STRING:
      return writer.tag(number, WireType.LengthDelimited).string(value as string);
    case ScalarType.UINT32:
      return writer.tag(number, WireType.Varint).uint32(value as number);
    case ScalarType.UINT64:
      return writer.tag(number, WireType.Varint).uint64(value as bigint);
    default:
      assert(type === ScalarType.INT64, 'a field of an image is of one of these types');
      return writer.tag(number, WireType.Varint).int64(value as bigint);
  }
}

function scalarsWriter(number: number, type: ScalarType): Write {
  return (pieces, items) => {
    for (const value of items as readonly unknown[]) writeScalar(shared, { number, type, value });
    pieces.push(shared.finish());
  };
}

function messageWriter(number: number, schema: DescMessage): Write {
  return (pieces, item) => {
    const known = encodings.get(item as object);
    if (known !== undefined) {
      pieces.push(known);
      return;
    }
    const message = isMessage(item) ? item : create(schema, item as Record<string, unknown>);
    const bytes = toBinary(schema, message);
    const tagged = shared.tag(number, WireType.LengthDelimited).bytes(bytes).finish();
    if (message === item) encodings.set(message, tagged);
    pieces.push(tagged);
  };
}

/** Of messages that are never written to: each stands in one field alone. */
const encodings = new WeakMap<object, Uint8Array>();
