import type { Stream } from '@libp2p/interface';

/** What pulls need of a stream: one of a libp2p connection, or a socket of its own (sealed-socket.ts). */
export type ByteStream = Pick<
  Stream,
  | 'send'
  | 'close'
  | 'abort'
  | 'pause'
  | 'resume'
  | 'status'
  | 'readableEnded'
  | 'readBufferLength'
  | 'writeBufferLength'
  | 'addEventListener'
  | 'removeEventListener'
> & {
  /** Nobody else uses the bytes that it gives out: their memory may be given back once they are read. */
  readonly isGivingAway?: boolean;
  /** Bytes that it was told to send are the sender's again at once. */
  readonly isCopying?: boolean;
};
