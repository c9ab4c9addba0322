import type { MessageInitShape } from '@bufbuild/protobuf';
import { assertNever } from '../../base/assert.ts';
import { KiB } from '../../base/units.ts';
import { idBytes } from '../ids.ts';
import { limits } from '../limits.ts';
import { boundedBytes, exactBytes, idField, integer, malformed, printableText } from './field.ts';
import type {
  Admission as AdmissionMessage,
  Dataset as DatasetMessage,
  Statement as Message,
  StatementSchema,
} from './gen/holdfast/v1/cluster_pb.js';
import { decodeDescriptor, operatorsMax } from './genesis.ts';
import { inviteFrom, inviteMessage } from './invite.ts';
import { manifestFrom, manifestMessage, receiptFrom, receiptMessage } from './manifest.ts';
import { multiaddrsFrom, recipientFrom } from './member.ts';
import type { Admission, Dataset, StatementBody } from './records.ts';

type BodyMessage = NonNullable<MessageInitShape<typeof StatementSchema>['body']>;

/** The message of a body. */
export function bodyMessage(body: StatementBody): BodyMessage {
  switch (body.kind) {
    case 'invite':
      return { case: body.kind, value: inviteMessage(body) };
    case 'admission': {
      const { kind, ...rest } = body;
      return { case: kind, value: { ...rest, inviteKey: idBytes(body.inviteKey) } };
    }
    case 'address': {
      const { kind, version } = body;
      return { case: kind, value: { version, multiaddrs: [...body.multiaddrs] } };
    }
    case 'dataset': {
      const { kind, wrap, ...rest } = body;
      const record = wrap === undefined ? new Uint8Array() : idBytes(wrap);
      return { case: kind, value: { ...rest, wrap: record, id: idBytes(body.id) } };
    }
    case 'manifest':
      return { case: body.kind, value: manifestMessage(body) };
    case 'receipt':
      return { case: body.kind, value: receiptMessage(body) };
    case 'operators':
      return { case: body.kind, value: { evidence: [...body.evidence] } };
    case 'proved-invite':
      return { case: 'provedInvite', value: { evidence: [...body.evidence] } };
    case 'drill':
      return { case: body.kind, value: { report: body.report } };
    default:
      return assertNever(body);
  }
}

/** The body in a message. @throws HoldfastError bad-encoding */
export function bodyFrom(message: Message['body']): StatementBody {
  switch (message.case) {
    case 'invite':
      return { kind: 'invite', ...inviteFrom(message.value) };
    case 'admission':
      return { kind: 'admission', ...admissionFrom(message.value) };
    case 'address': {
      const version = printableText(message.value.version, { min: 0, max: 64 }, 'version');
      return { kind: 'address', multiaddrs: multiaddrsFrom(message.value.multiaddrs), version };
    }
    case 'dataset':
      return { kind: 'dataset', ...datasetFrom(message.value) };
    case 'manifest':
      return { kind: 'manifest', ...manifestFrom(message.value) };
    case 'receipt':
      return { kind: 'receipt', ...receiptFrom(message.value) };
    case 'operators':
      return { kind: 'operators', evidence: evidenceFrom(message.value) };
    case 'provedInvite':
      return { kind: 'proved-invite', evidence: evidenceFrom(message.value) };
    case 'drill': {
      // What it says is for its readers to judge: a later version may say more than this one knows.
      const size = { min: 2, max: limits.drillReportSizeMax };
      return { kind: 'drill', report: boundedBytes(message.value.report, size, 'drill report') };
    }
    case undefined:
      throw malformed('the statement says nothing that this version knows');
    default:
      return assertNever(message);
  }
}

function evidenceFrom({ evidence }: { evidence: Uint8Array[] }): Uint8Array[] {
  // A proposal, and an approval of each operator at most.
  integer(evidence.length, { min: 1, max: operatorsMax + 1 }, 'count of envelopes');
  const size = { min: 1, max: limits.envelopeSizeMax };
  return evidence.map((one) => boundedBytes(one, size, 'envelope'));
}

function admissionFrom(message: AdmissionMessage): Admission {
  decodeDescriptor(message.descriptor);
  return {
    inviteKey: idField(message.inviteKey, 32, 'invite key'),
    descriptor: message.descriptor.slice(),
    inviteSignature: exactBytes(message.inviteSignature, 64, 'signature of the invite key'),
    agentSignature: exactBytes(message.agentSignature, 64, 'signature of the agent'),
  };
}

// A chunk must fit a frame, and the cut looks back 32 bytes: see "Chunking" in proto/README.md.
const chunkSizes = { min: 64, max: limits.frameSizeMax };

function datasetFrom(message: DatasetMessage): Dataset {
  const { chunkMin, chunkAverage, chunkMax } = message;
  integer(chunkMin, chunkSizes, 'least chunk size');
  integer(chunkMax, chunkSizes, 'greatest chunk size');
  const isPowerOfTwo = (chunkAverage & (chunkAverage - 1)) === 0;
  if (!isPowerOfTwo || chunkAverage < 16 * KiB) {
    throw malformed('average chunk size must be a power of two, 16384 or more');
  }
  if (chunkMin > chunkAverage || chunkAverage > chunkMax) {
    throw malformed('chunk sizes must ascend: least, average, greatest');
  }
  return {
    id: idField(message.id, 16, 'dataset id'),
    name: printableText(message.name, { min: 1, max: 128 }, 'dataset name'),
    chunkMin,
    chunkAverage,
    chunkMax,
    keyEpoch: message.keyEpoch,
    recipient: recipientFrom(message.recipient),
    ...wrapFrom(message),
  };
}

function wrapFrom({
  wrap,
  wrappedIdentity,
}: DatasetMessage): Pick<Dataset, 'wrap' | 'wrappedIdentity'> {
  if (wrap.length === 0) {
    const size = { min: 1, max: 64 * KiB };
    return { wrappedIdentity: boundedBytes(wrappedIdentity, size, 'wrapped identity') };
  }
  if (wrappedIdentity.length > 0) throw malformed('an identity stands in a statement and a record');
  return { wrappedIdentity: new Uint8Array(), wrap: idField(wrap, 32, 'key record') };
}
