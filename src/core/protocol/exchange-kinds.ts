import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  Request,
  RequestSchema,
  Response,
  ResponseSchema,
} from '../format/gen/holdfast/v1/exchange_pb.js';

/** The kinds of requests; a response has the kind of its request, or is a failure. */
export type ExchangeKind = NonNullable<Request['body']['case']>;

type OneOf<Body, Kind> =
  Extract<Body, { case: Kind }> extends { value: infer Value } ? Value : never;
type InitOf<Schema extends typeof RequestSchema | typeof ResponseSchema> = NonNullable<
  MessageInitShape<Schema>['body']
>;

/** A request as it is asked: plain data of one kind. */
export type Question<Kind extends ExchangeKind> = {
  readonly case: Kind;
  readonly value: OneOf<InitOf<typeof RequestSchema>, Kind>;
};

/** A request as it arrives, decoded. */
export type AskedValue<Kind extends ExchangeKind> = OneOf<Request['body'], Kind>;

/** What a handler answers: plain data. */
export type AnswerInit<Kind extends ExchangeKind> = OneOf<InitOf<typeof ResponseSchema>, Kind>;

/** An answer as it arrives, decoded. */
export type Answer<Kind extends ExchangeKind> = OneOf<Response['body'], Kind>;
