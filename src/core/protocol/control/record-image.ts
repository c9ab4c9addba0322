import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';

/**
 * The message of a record, made once for each: the state is hashed after every entry, and an entry changes one
 * record of hundreds. Records are never written to: a change puts another in the place of the old one.
 */
export function imageOnce<Item extends object, Schema extends DescMessage>(
  schema: Schema,
  imageOf: (item: Item) => MessageInitShape<Schema>,
): (item: Item) => MessageShape<Schema> {
  const images = new WeakMap<Item, MessageShape<Schema>>();
  return (item) => {
    const known = images.get(item);
    if (known !== undefined) return known;
    const image = create(schema, imageOf(item)) as MessageShape<Schema>;
    images.set(item, image);
    return image;
  };
}
