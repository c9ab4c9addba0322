import { equal, toHex } from '../../src/base/bytes.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { isZeroHash } from '../../src/core/format/statement.ts';
import { type OpenedStatement, openStatement } from '../../src/core/protocol/opened-statement.ts';
import type { SimAgent } from '../agent.ts';
import { cluster, liar } from '../cast.ts';

const forkPrefix = 'forks/';

/**
 * Every sequence on every disk is one signed chain, all honest hosts hold the same entries of honest writers
 * as far as they hold any, nobody accuses an honest writer, and what a host was told is durable it still has.
 */
export function chainViolation(agents: readonly SimAgent[]): string | undefined {
  const places = new Map<string, string>();
  for (const agent of agents) {
    const found =
      sequencesViolation(agent, places) ?? accusationOf(agent) ?? lostAcknowledgement(agent);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sequencesViolation(agent: SimAgent, places: Map<string, string>): string | undefined {
  for (const head of agent.disk.heads()) {
    const { writer, stream } = head;
    if (stream.startsWith(forkPrefix)) continue;
    let before: Uint8Array | undefined;
    for (const [i, envelope] of agent.disk.envelopes(head).entries()) {
      const where = `${agent.name} holds ${writer.slice(0, 8)}/${stream} ${i + 1}`;
      const opened = opening(envelope);
      if (typeof opened === 'string') return `${where}, which is no statement: ${opened}`;
      const { statement, hash } = opened;
      const isInPlace = statement.writer === writer && statement.stream === stream;
      if (!isInPlace || statement.sequence !== i + 1) return `${where} in a wrong place`;
      const { previous } = statement;
      const follows = before === undefined ? isZeroHash(previous) : equal(previous, before);
      if (!follows) return `${where}, which does not follow the entry before`;
      before = hash;
      const place = `${writer}/${stream}/${i}`;
      const other = places.get(place);
      if (writer !== liar.agentKey && other !== undefined && other !== toHex(hash)) {
        return `${where}, where another host holds another statement of this honest writer`;
      }
      places.set(place, toHex(hash));
    }
  }
  return undefined;
}

function accusationOf(agent: SimAgent): string | undefined {
  const isEvidence = (stream: string): boolean => stream.startsWith(forkPrefix);
  const accused = agent.disk
    .heads()
    .find(({ writer, stream }) => isEvidence(stream) && writer !== liar.agentKey);
  if (accused === undefined) return undefined;
  return `${agent.name} believes that ${accused.writer.slice(0, 8)}, who is honest, has forked`;
}

function lostAcknowledgement(agent: SimAgent): string | undefined {
  for (const { writer, stream, sequence, hash } of agent.acknowledged) {
    if (agent.disk.hashes({ writer, stream })[sequence - 1] === hash) continue;
    return `${agent.name} has lost its own ${stream} ${sequence}, which it was told is durable`;
  }
  return undefined;
}

// The same few statements stand on every disk, and checking a signature takes milliseconds.
const openings = new Map<string, OpenedStatement | string>();
const openingsMax = 5000;

/** The statement, or why it is none. */
function opening(envelope: Uint8Array): OpenedStatement | string {
  const key = toHex(envelope);
  const known = openings.get(key);
  if (known !== undefined) return known;
  if (openings.size >= openingsMax) openings.clear();
  const result = openingOf(envelope);
  openings.set(key, result);
  return result;
}

function openingOf(envelope: Uint8Array): OpenedStatement | string {
  try {
    return openStatement(envelope, cluster);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return error.message;
  }
}
