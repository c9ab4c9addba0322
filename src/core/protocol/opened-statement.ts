import { equal } from '../../base/bytes.ts';
import { HoldfastError } from '../errors.ts';
import { openEnvelope, statementHash } from '../format/envelope.ts';
import { decodeMessage } from '../format/field.ts';
import { EnvelopeSchema } from '../format/gen/holdfast/v1/cluster_pb.js';
import { decodeStatement, type Statement } from '../format/statement.ts';
import { type ClusterId, idBytes } from '../ids.ts';
import { limits } from '../limits.ts';

/** The generation of every statement so far: nothing starts another one yet. */
export const generation = 1n;

/** A statement, out of its envelope. */
export type OpenedStatement = {
  readonly envelope: Uint8Array;
  readonly statement: Statement;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** 32 bytes each; the writer is one of them. */
  readonly signers: readonly Uint8Array[];
};

/**
 * Opens an envelope from anywhere: encoding, cluster, every signature, and that its writer signed it.
 * @throws HoldfastError bad-encoding | bad-signature
 */
export function openStatement(envelope: Uint8Array, cluster: ClusterId): OpenedStatement {
  const opened = openEnvelope(envelope, { cluster });
  if (opened.generation !== generation) {
    throw new HoldfastError('bad-encoding', 'the statement is of another generation');
  }
  const statement = decodeStatement(opened.payload);
  const writer = idBytes(statement.writer);
  // Without this anybody could sign a second history for a writer, and have it frozen.
  if (!opened.signers.some((signer) => equal(signer, writer))) {
    throw new HoldfastError('bad-signature', 'the statement is not signed by its writer');
  }
  return { envelope, statement, hash: opened.hash, signers: opened.signers };
}

/**
 * Opens an envelope of this host's own log without checking signatures, which were checked before it was
 * written there. @throws HoldfastError bad-encoding
 */
export function reopenStatement(envelope: Uint8Array, cluster: ClusterId): OpenedStatement {
  const message = decodeMessage(EnvelopeSchema, envelope, limits.statementSizeMax);
  const { generation, payload } = message;
  return {
    envelope,
    statement: decodeStatement(payload),
    hash: statementHash({ type: 'statement', cluster, generation, payload }),
    signers: message.signatures.map(({ key }) => key),
  };
}
