import {
  create,
  type DescField,
  type DescMessage,
  isMessage,
  type Message,
  type MessageInitShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { assert } from '../../../base/assert.ts';
import { ControlImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';

type Init = MessageInitShape<typeof ControlImageSchema>;
type Write = (writer: BinaryWriter, value: unknown) => void;

/**
 * The bytes of an image, as the codec writes them. A state is encoded far more often than most of its records change:
 * of those that come as messages (see `imageOnce`), each is encoded once.
 */
export function encodeImage(image: Init): Uint8Array {
  const writer = new BinaryWriter();
  for (const { name, write } of fields) {
    const value = image[name];
    if (value !== undefined) write(writer, value);
  }
  return writer.finish();
}

/** In the order of their numbers, which is that of the codec. */
const fields = ControlImageSchema.fields
  .toSorted((a, b) => a.number - b.number)
  .map((field) => ({ name: field.localName as keyof Init, write: fieldWriter(field) }));

function fieldWriter(field: DescField): Write {
  if (field.fieldKind === 'scalar') return unlessZero(scalarWriter(field.number, field.scalar));
  if (field.fieldKind === 'message') return messageWriter(field.number, field.message);
  assert(field.fieldKind === 'list' && field.listKind !== 'enum', 'an image has no maps or enums');
  const write =
    field.listKind === 'message'
      ? messageWriter(field.number, field.message)
      : scalarWriter(field.number, field.scalar);
  return (writer, items) => {
    for (const item of items as readonly unknown[]) write(writer, item);
  };
}

/** A field alone is left out when it says nothing; an item of a list never is. */
function unlessZero(write: Write): Write {
  return (writer, value) => {
    if (value !== 0n && value !== 0) write(writer, value);
  };
}

function scalarWriter(number: number, type: ScalarType): Write {
  switch (type) {
    case ScalarType.BYTES:
      return (writer, value) =>
        writer.tag(number, WireType.LengthDelimited).bytes(value as Uint8Array);
    case ScalarType.STRING:
      return (writer, value) =>
        writer.tag(number, WireType.LengthDelimited).string(value as string);
    case ScalarType.UINT32:
      return (writer, value) => writer.tag(number, WireType.Varint).uint32(value as number);
    case ScalarType.UINT64:
      return (writer, value) => writer.tag(number, WireType.Varint).uint64(value as bigint);
    case ScalarType.INT64:
      return (writer, value) => writer.tag(number, WireType.Varint).int64(value as bigint);
    default:
      throw new Error(`no field of an image has the type ${ScalarType[type]} yet`);
  }
}

function messageWriter(number: number, schema: DescMessage): Write {
  return (writer, item) =>
    writer.tag(number, WireType.LengthDelimited).bytes(encodingOf(schema, item as object));
}

const encodings = new WeakMap<Message, Uint8Array>();

function encodingOf(schema: DescMessage, item: object): Uint8Array {
  if (!isMessage(item)) return toBinary(schema, create(schema, item as Record<string, unknown>));
  const known = encodings.get(item);
  if (known !== undefined) return known;
  const bytes = toBinary(schema, item);
  encodings.set(item, bytes);
  return bytes;
}
