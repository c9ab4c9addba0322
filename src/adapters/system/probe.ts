import { createHash } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import { connect } from 'node:net';
import { assertNever } from '../../base/assert.ts';
import { printable, utf8 } from '../../base/bytes.ts';
import { KiB, secondMs } from '../../base/units.ts';
import type { Probe } from '../../core/policy/restore-plan.ts';
import type { ProbeResult, ProbeRunner } from '../../ports/probe.ts';
import type { Cancel } from '../../ports/runtime.ts';
import { runChild } from './hook-child.ts';

type Limits = Cancel & { readonly timeoutMs: number };

/** Asks from this host, with the rights of the agent. */
export function systemProbes(): ProbeRunner {
  return { run };
}

async function run(probe: Probe, options: Limits): Promise<ProbeResult> {
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  if (probe.kind === 'command') return runCommand(probe.argv, options);
  const late = AbortSignal.timeout(timeoutMs);
  const stop = signal === undefined ? late : AbortSignal.any([signal, late]);
  try {
    return await ask(probe, stop);
  } catch (error) {
    signal?.throwIfAborted();
    if (late.aborted) return sick(`no answer within ${timeoutMs / secondMs} s`);
    return sick(error instanceof Error ? error.message : String(error));
  }
}

function ask(
  probe: Exclude<Probe, { kind: 'command' }>,
  signal: AbortSignal,
): Promise<ProbeResult> {
  switch (probe.kind) {
    case 'http':
      return askHttp(probe, signal);
    case 'tcp':
      return askTcp(probe.address, signal);
    case 'digest':
      return askDigest(probe, signal);
    default:
      return assertNever(probe);
  }
}

async function runCommand(argv: readonly string[], options: Limits): Promise<ProbeResult> {
  const { isDone, detail, output } = await runChild({ argv, environment: {} }, options);
  return { isHealthy: isDone, detail: output === '' ? detail : `${detail}\n${output}` };
}

/** One GET. Redirects are answers like others: what they lead to is not what was restored. */
function askHttp(
  { url, expect }: Probe & { kind: 'http' },
  signal: AbortSignal,
): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    // Loaded for the few who ask, since it takes some 60 ms.
    const protocol = url.startsWith('https:') ? 'node:https' : 'node:http';
    const { get } = process.getBuiltinModule(protocol);
    // Without an agent no connection stays open behind the answer.
    const request = get(url, { signal, agent: false }, (response) => {
      const { statusCode = 0, headers } = response;
      response.destroy();
      if (statusCode === expect) return resolve(well(`it answered ${statusCode}`));
      const to = headers.location === undefined ? '' : ` and leads to ${headers.location}`;
      return resolve(sick(`it answered ${statusCode}${to}, expected was ${expect}`));
    });
    request.once('error', reject);
  });
}

function askTcp(address: string, signal: AbortSignal): Promise<ProbeResult> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(address.slice(at + 1)), signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve(well(`${address} accepts connections`));
    });
    socket.once('error', reject);
  });
}

async function askDigest(
  { file: path, sha256 }: Probe & { kind: 'digest' },
  signal: AbortSignal,
): Promise<ProbeResult> {
  // Not blocking: a FIFO would otherwise wait here for its writer, whatever the signal says.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) return sick(`${path} is no regular file`);
    const digest = createHash('sha256');
    const stream = file.createReadStream({ highWaterMark: 256 * KiB, signal, autoClose: false });
    for await (const part of stream) digest.update(part as Uint8Array);
    const found = digest.digest('hex');
    if (found === sha256) return well(`${path} has the digest expected`);
    return sick(`${path} has the digest ${found}`);
  } finally {
    await file.close();
  }
}

function well(detail: string): ProbeResult {
  return { isHealthy: true, detail: printable(utf8(detail)) };
}

function sick(detail: string): ProbeResult {
  return { isHealthy: false, detail: printable(utf8(detail)) };
}
