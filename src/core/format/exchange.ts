import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { printable, utf8 } from '../../base/bytes.ts';
import { HoldfastError, isErrorCode } from '../errors.ts';
import { limits } from '../limits.ts';
import { decodeMessage } from './field.ts';
import {
  type Failure,
  FailureSchema,
  type Request,
  RequestSchema,
  type Response,
  ResponseSchema,
} from './gen/holdfast/v1/exchange_pb.js';

/** The bytes of a request. @throws HoldfastError limit-exceeded (over limits.messageSizeMax) */
export function encodeRequest(request: MessageInitShape<typeof RequestSchema>): Uint8Array {
  return encodeBounded(RequestSchema, request);
}

/** The request in these bytes; its byte fields are views. @throws HoldfastError bad-encoding */
export function decodeRequest(bytes: Uint8Array): Request {
  return decodeMessage(RequestSchema, bytes, limits.messageSizeMax);
}

/** The bytes of a response. @throws HoldfastError limit-exceeded (over limits.messageSizeMax) */
export function encodeResponse(response: MessageInitShape<typeof ResponseSchema>): Uint8Array {
  return encodeBounded(ResponseSchema, response);
}

/** The response in these bytes; its byte fields are views. @throws HoldfastError bad-encoding */
export function decodeResponse(bytes: Uint8Array): Response {
  return decodeMessage(ResponseSchema, bytes, limits.messageSizeMax);
}

function encodeBounded<Schema extends DescMessage>(
  schema: Schema,
  message: MessageInitShape<Schema>,
): Uint8Array {
  const bytes = toBinary(schema, create(schema, message) as MessageShape<Schema>);
  if (bytes.length > limits.messageSizeMax) {
    const details = { size: bytes.length, sizeMax: limits.messageSizeMax };
    throw new HoldfastError('limit-exceeded', `a ${schema.name} is too large`, { details });
  }
  return bytes;
}

const failureTextMax = 500;

/** What a peer is told of an error: only operating errors, since others may quote this host's data. */
export function failureOf(error: unknown): Failure {
  const { code, message } =
    error instanceof HoldfastError ? error : { code: 'failed', message: 'internal error' };
  return create(FailureSchema, { code, message: message.slice(0, failureTextMax).toWellFormed() });
}

/** The error that a peer's failure becomes here. Its text is made safe for terminals. */
export function errorOf({ code, message }: Pick<Failure, 'code' | 'message'>): HoldfastError {
  const text = printable(utf8(message.slice(0, failureTextMax).toWellFormed()));
  if (isErrorCode(code)) return new HoldfastError(code, `the peer says: ${text}`);
  return new HoldfastError('peer-refused', `the peer refused: ${text}`);
}

/** The response that says that a request failed. */
export function failureResponse(error: unknown): Response {
  return create(ResponseSchema, { body: { case: 'failure', value: failureOf(error) } });
}

/** Throws what a response says went wrong; does nothing for any other response. @throws HoldfastError */
export function throwFailure(response: Response): void {
  if (response.body.case === 'failure') throw errorOf(response.body.value);
}
