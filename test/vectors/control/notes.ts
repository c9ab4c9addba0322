import { cosignCheckpoint, encodeSignedCheckpoint } from '../../../src/core/format/checkpoint.ts';
import type { AgentKey, ClusterId } from '../../../src/core/ids.ts';
import { cosigner } from '../../../src/core/protocol/control/log-checkpoint.ts';
import { secrets } from './samples.ts';

/** First line of a checkpoint, spelled out here once more: the format fixes it. */
export function originText(cluster: ClusterId, generation: number): string {
  return `holdfast/control/${cluster}/${generation}`;
}

/** The note of a text that these keys, all of the samples, have cosigned. */
export function noteOf(value: {
  readonly text: string;
  readonly signatures: readonly { readonly key: string; readonly timeSeconds: number }[];
}): string {
  const { text } = value;
  const lines = value.signatures.map(({ key, timeSeconds }) => {
    const secret = secrets.get(key) as Uint8Array;
    return cosignCheckpoint(text, { by: cosigner(key as AgentKey), secret, timeSeconds });
  });
  return encodeSignedCheckpoint(text, lines);
}
