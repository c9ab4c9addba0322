import { compare, toHex } from '../../../base/bytes.ts';
import { LayoutReader, LayoutWriter } from '../../format/byte-layout.ts';
import { malformed } from '../../format/field.ts';
import { type AgentKey, idBytes, idOf } from '../../ids.ts';
import type { RaftConfig } from './types.ts';

const keySize = 32;

/**
 * The payload of a `config` entry: the number of voters and of learners (one byte each), then the voters'
 * keys and the learners' keys (32 bytes each), both ascending. One configuration has one encoding.
 * At most 255 of each.
 */
export function encodeConfig(config: RaftConfig): Uint8Array {
  const keys = [...ascending(config.voters), ...ascending(config.learners)];
  const writer = new LayoutWriter(2 + keys.length * keySize)
    .byte(config.voters.length)
    .byte(config.learners.length);
  for (const key of keys) writer.put(key);
  return writer.done();
}

/**
 * The configuration in exactly these bytes, in which nobody is named twice.
 * @throws HoldfastError bad-encoding
 */
export function decodeConfig(bytes: Uint8Array): RaftConfig {
  const reader = new LayoutReader(bytes, 'a configuration of the control log');
  const counts = { voters: reader.byte(), learners: reader.byte() };
  const config = {
    voters: readKeys(reader, counts.voters),
    learners: readKeys(reader, counts.learners),
  };
  reader.end();
  const voters = new Set(config.voters);
  const both = config.learners.find((learner) => voters.has(learner));
  if (both !== undefined) throw malformed(`${both} is named both as voter and as learner`);
  return config;
}

function readKeys(reader: LayoutReader, count: number): AgentKey[] {
  const keys = Array.from({ length: count }, () => reader.take(keySize));
  keys.forEach((key, i) => {
    const previous = keys[i - 1];
    if (previous !== undefined && compare(previous, key) >= 0) {
      throw malformed(`the key ${toHex(key)} is not in ascending order`);
    }
  });
  return keys.map((key) => idOf<AgentKey>(key));
}

function ascending(keys: readonly AgentKey[]): Uint8Array[] {
  return keys.map(idBytes).sort(compare);
}
