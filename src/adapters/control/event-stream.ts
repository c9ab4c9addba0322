import type { ServerResponse } from 'node:http';
import type { StreamErrorLine } from '../../agent/control-wire.ts';
import { failureOf } from './failure.ts';

/**
 * Writes one JSON line for each event, no faster than the client reads. A client that goes away returns
 * the iterator, which cancels the work. Rejects before anything is written when the first event fails,
 * so that the failure gets its own HTTP status; later failures become the last line, and are returned.
 */
export async function writeEvents(
  events: AsyncIterable<object>,
  response: ServerResponse,
): Promise<unknown> {
  const iterator = events[Symbol.asyncIterator]();
  const gone = new AbortController();
  const onClose = (): void => {
    gone.abort();
    // Not through a generator around the iterator: its return would wait for the pending next.
    iterator.return?.().catch(() => undefined);
  };
  response.once('close', onClose);
  try {
    let next = await iterator.next();
    if (gone.signal.aborted) return undefined;
    response.writeHead(200, { 'content-type': 'application/x-ndjson; charset=utf-8' });
    try {
      while (!next.done && !gone.signal.aborted) {
        await writeLine(response, next.value, gone.signal);
        next = await iterator.next();
      }
    } catch (error) {
      if (gone.signal.aborted) return undefined;
      const line: StreamErrorLine = { type: 'error', ...failureOf(error).body };
      await writeLine(response, line, gone.signal);
      return error;
    }
    return undefined;
  } catch (error) {
    if (gone.signal.aborted) return undefined;
    throw error;
  } finally {
    response.off('close', onClose);
    if (response.headersSent) response.end();
  }
}

async function writeLine(
  response: ServerResponse,
  event: object,
  gone: AbortSignal,
): Promise<void> {
  if (gone.aborted || response.write(`${JSON.stringify(event)}\n`)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      gone.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    gone.addEventListener('abort', done, { once: true });
  });
}
