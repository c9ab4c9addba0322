import type { Readable } from 'node:stream';
import { abortable } from '../base/abortable.ts';
import { HoldfastError } from '../core/errors.ts';

/** Everything from standard input. @throws HoldfastError usage beyond `bytesMax`. */
export function readAll(
  stream: Readable,
  { bytesMax, signal }: { bytesMax: number; signal: AbortSignal },
): Promise<Buffer> {
  return abortable(collect(stream, bytesMax), signal);
}

async function collect(stream: Readable, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(part);
    size += bytes.length;
    if (size > bytesMax) {
      throw new HoldfastError('usage', `standard input holds more than ${bytesMax} bytes`);
    }
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
