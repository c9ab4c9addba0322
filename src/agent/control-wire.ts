import type { ErrorDetails } from '../core/errors.ts';

/** The body of every answer that is not a success, and of the last line of a stream that broke. */
export type ErrorBody = {
  error: {
    code: string;
    message: string;
    next?: string;
    details?: ErrorDetails;
  };
};

/** The last line of a stream that broke: what stands before it is still true. */
export type StreamErrorLine = { type: 'error' } & ErrorBody;
