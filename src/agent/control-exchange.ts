import { closeSync, constants, existsSync, openSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { isSocketPathTooLong, pathThroughDirectory } from '../base/socket-path.ts';
import { HoldfastError, isErrorCode } from '../core/errors.ts';
import type { ErrorBody } from './control-wire.ts';

/** A request on its way; `cancel` closes the connection, which the agent takes as a cancellation. */
export type Exchange = { response: Promise<IncomingMessage>; cancel: () => void };

/** Sends a request. @throws HoldfastError agent-not-running; from the response also whatever the agent answered. */
export function openExchange(
  socketPath: string,
  { method, path, body }: { method: string; path: string; body?: object | undefined },
): Exchange {
  // The kernel takes no path beyond its limit, and a process has one working directory: go through a descriptor.
  const fd = isSocketPathTooLong(socketPath) ? openDirectory(socketPath) : undefined;
  const address = fd === undefined ? socketPath : pathThroughDirectory(fd, basename(socketPath));
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  // Not before it is needed: Node loads WebSockets with it, which takes some 60 ms.
  const request = process.getBuiltinModule('node:http').request({
    socketPath: address,
    method,
    path,
    agent: false,
    headers: payload && { 'content-type': 'application/json', 'content-length': payload.length },
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', (error) => reject(connectionFailure(error, socketPath)));
    request.once('close', () => {
      if (fd !== undefined) closeSync(fd);
    });
  }).then(refuseFailure);
  // A stream may be cancelled before anyone asks for its response.
  response.catch(() => undefined);
  request.end(payload);
  return { response, cancel: () => request.destroy() };
}

function openDirectory(socketPath: string): number {
  try {
    return openSync(dirname(socketPath), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw connectionFailure(error, socketPath);
  }
}

function connectionFailure(error: unknown, socketPath: string): HoldfastError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const stateDir = dirname(socketPath);
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') {
    if (!existsSync(join(stateDir, 'genesis'))) return noCluster(stateDir, error);
    return new HoldfastError('agent-not-running', `no agent runs on ${stateDir}`, {
      next: `holdfast agent -s ${stateDir}`,
      cause: error,
    });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new HoldfastError('not-permitted', `the agent of ${stateDir} belongs to another user`, {
      next: 'run the command as that user',
      cause: error,
    });
  }
  return lostConnection(socketPath, error);
}

function noCluster(stateDir: string, cause: unknown): HoldfastError {
  return new HoldfastError('no-cluster', `${stateDir} belongs to no cluster yet`, {
    next: 'holdfast init, holdfast join, or another state directory with -s',
    cause,
  });
}

/** The connection broke amid an answer. */
export function lostConnection(socketPath: string, cause?: unknown): HoldfastError {
  const stateDir = dirname(socketPath);
  return new HoldfastError(
    'agent-unreachable',
    `the agent of ${stateDir} broke off the connection`,
    {
      next: `holdfast status -s ${stateDir}`,
      cause,
    },
  );
}

async function refuseFailure(response: IncomingMessage): Promise<IncomingMessage> {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  throw errorFrom(JSON.parse(await textOf(response)) as ErrorBody);
}

/** The whole body. */
export async function textOf(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const part of response) text += part;
  return text;
}

/** The error as the agent threw it. A code of a newer agent becomes `failed`. */
export function errorFrom({ error }: ErrorBody): HoldfastError {
  const code = isErrorCode(error.code) ? error.code : 'failed';
  return new HoldfastError(code, error.message, {
    ...(error.next !== undefined && { next: error.next }),
    ...(error.details !== undefined && { details: error.details }),
  });
}
