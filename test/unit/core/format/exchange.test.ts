import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  errorOf,
  failureOf,
  failureResponse,
  throwFailure,
} from '../../../../src/core/format/exchange.ts';
import { ResponseSchema } from '../../../../src/core/format/gen/holdfast/v1/exchange_pb.js';
import { limits } from '../../../../src/core/limits.ts';
import { filled, outcomeOf } from './samples.ts';

describe('messages', () => {
  test('come back as they were', () => {
    const request = decodeRequest(
      encodeRequest({ body: { case: 'facts', value: { hashes: [filled(1), filled(2)] } } }),
    );
    expect(request.body).toMatchObject({
      case: 'facts',
      value: { hashes: [filled(1), filled(2)] },
    });
    const response = decodeResponse(
      encodeResponse({ body: { case: 'offer', value: { hadIt: true } } }),
    );
    expect(response.body).toMatchObject({ case: 'offer', value: { hadIt: true } });
  });

  test('over the limit are neither sent nor read', () => {
    const facts = [new Uint8Array(limits.messageSizeMax)];
    const send = (): unknown => encodeResponse({ body: { case: 'facts', value: { facts } } });
    expect(outcomeOf(send)).toBe('limit-exceeded');
    const large = new Uint8Array(limits.messageSizeMax + 1);
    expect(outcomeOf(() => decodeRequest(large))).toBe('bad-encoding');
    expect(outcomeOf(() => decodeResponse(large))).toBe('bad-encoding');
  });
});

describe('a failure', () => {
  test('reaches the asker as an error of the same code', () => {
    const failure = failureResponse(new HoldfastError('disk-full', 'no room for the shard'));
    const received = decodeResponse(encodeResponse(failure));
    expect(outcomeOf(() => throwFailure(received))).toBe('disk-full');
    expect(() => throwFailure(received)).toThrow('no room for the shard');
  });

  test('of a bug tells the peer nothing about it', () => {
    const failure = failureOf(new TypeError('cannot read /etc/shadow'));
    expect(failure).toMatchObject({ code: 'failed', message: 'internal error' });
  });

  test('with an unknown code is a refusal', () => {
    expect(errorOf({ code: 'toString', message: 'x' }).code).toBe('peer-refused');
  });

  test('cannot write to the terminal what it likes', () => {
    const { message } = errorOf({ code: 'failed', message: '\u001b[2J\n' });
    expect(message).toBe('the peer says: \\x1b[2J\\x0a');
  });

  test('is short, whatever the error says', () => {
    const long = 'x'.repeat(10_000);
    expect(failureOf(new HoldfastError('failed', long)).message.length).toBeLessThan(1000);
    expect(errorOf({ code: 'failed', message: long }).message.length).toBeLessThan(1000);
  });

  test('is not seen in any other response', () => {
    const response = create(ResponseSchema, { body: { case: 'offer', value: {} } });
    expect(outcomeOf(() => throwFailure(response))).toBe('ok');
    expect(outcomeOf(() => throwFailure(create(ResponseSchema)))).toBe('ok');
  });
});
