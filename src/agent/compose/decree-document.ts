import { create, toBinary } from '@bufbuild/protobuf';
import { z } from 'zod';
import { fromHex, toHex } from '../../base/bytes.ts';
import type { DecreeWords, OperatorOptions } from '../../cli/backend.ts';
import { publicKeyOf, sign, verify } from '../../core/crypto/signature.ts';
import { HoldfastError } from '../../core/errors.ts';
import { decodeCommand } from '../../core/format/control-command.ts';
import type { Decree } from '../../core/format/control-records.ts';
import { type Signed, signedBytes } from '../../core/format/envelope.ts';
import { EnvelopeSchema } from '../../core/format/gen/holdfast/v1/cluster_pb.js';
import type { ClusterId } from '../../core/ids.ts';
import type { DecreeDraft } from '../coordinator-decree-types.ts';
import { operatorSecrets } from './operator-keys.ts';

const hexOf = (size: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * size}}$`));

/** A decree on its way between operators: each adds a signature, on whatever machine holds the key. */
const documentSchema = z.strictObject({
  holdfast: z.literal('decree'),
  cluster: hexOf(32),
  payload: z.base64().max(350_000),
  signatures: z.array(z.strictObject({ key: hexOf(32), signature: hexOf(64) })).max(64),
});

type Document = z.infer<typeof documentSchema>;

/** The document of a decree that nobody has signed yet. */
export function decreeDocument({
  clusterId,
  payload,
}: Pick<DecreeDraft, 'clusterId' | 'payload'>): string {
  return written({ holdfast: 'decree', cluster: clusterId, payload, signatures: [] });
}

/**
 * What a document says, out of the bytes that are signed and nothing else.
 * @throws HoldfastError usage | bad-signature
 */
export function readDecree(text: string): DecreeWords {
  const document = read(text);
  const { kind: _, voters, abandoned, rootHash, ...rest } = decreeIn(document);
  return {
    ...rest,
    voters: [...voters],
    abandoned: [...abandoned],
    rootHash: toHex(rootHash),
    clusterId: document.cluster,
    signers: document.signatures.map(({ key }) => key),
  };
}

/** The document with the operators' signatures. @throws HoldfastError key-needed | wrong-key | usage */
export async function signDecree(options: OperatorOptions & { text: string }): Promise<string> {
  const document = read(options.text);
  const message = signedBytes(signedOf(document));
  const signatures = new Map(document.signatures.map((one) => [one.key, one]));
  for (const secret of await operatorSecrets(options.stateDir, options.operatorKeyFiles)) {
    const key = toHex(publicKeyOf(secret));
    signatures.set(key, { key, signature: toHex(sign(secret, message)) });
  }
  return written({ ...document, signatures: [...signatures.values()] });
}

/** What an agent takes, base64. @throws HoldfastError usage | bad-signature */
export function decreeEnvelope(text: string): string {
  const document = read(text);
  if (document.signatures.length === 0) {
    throw new HoldfastError('not-permitted', 'nobody has signed this decree yet', {
      next: 'holdfast coordinator decree sign FILE',
    });
  }
  const { type, generation, payload } = signedOf(document);
  const bytes = toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, {
      type,
      generation,
      payload,
      cluster: bytesOf(document.cluster),
      signatures: document.signatures.map(({ key, signature }) => ({
        key: bytesOf(key),
        signature: bytesOf(signature),
      })),
    }),
  );
  return Buffer.from(bytes).toString('base64');
}

function read(text: string): Document {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw notADecree(cause);
  }
  const parsed = documentSchema.safeParse(value);
  if (!parsed.success) throw notADecree(parsed.error);
  const document = parsed.data;
  const message = signedBytes(signedOf(document));
  for (const { key, signature } of document.signatures) {
    if (verify(bytesOf(key), message, bytesOf(signature))) continue;
    throw new HoldfastError('bad-signature', `the signature of ${key.slice(0, 8)} is wrong`);
  }
  return document;
}

function signedOf(document: Document): Signed {
  const payload = payloadOf(document);
  const generation = BigInt(decreeIn(document).generation);
  // Commands have a type of their own: see sealCommand.
  return { type: 'control', cluster: document.cluster as ClusterId, generation, payload };
}

function payloadOf({ payload }: Document): Uint8Array {
  return new Uint8Array(Buffer.from(payload, 'base64'));
}

function decreeIn(document: Document): Decree & { kind: 'decree' } {
  const { body } = decodeCommand(payloadOf(document));
  if (body.kind !== 'decree') throw notADecree();
  return body;
}

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array();
}

function notADecree(cause?: unknown): HoldfastError {
  return new HoldfastError('usage', 'the file holds no decree', {
    next: 'holdfast coordinator decree prepare --voters NAME,.. --reason TEXT -o FILE',
    ...(cause === undefined ? {} : { cause }),
  });
}

function written(document: Document): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
