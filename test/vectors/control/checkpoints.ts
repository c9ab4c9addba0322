import { concat } from '../../../src/base/bytes.ts';
import { idBytes } from '../../../src/core/ids.ts';
import { playedLog } from './log.ts';
import { noteOf, originText } from './notes.ts';
import { cluster, strangerKey, timeMs, voters } from './samples.ts';
import { badEncoding, badSignature, type VectorList } from './vector-list.ts';

const { state, tree } = playedLog();
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const root = base64(tree.root());
const stateLine = `state ${base64(state.hash())}`;

/** Spelled out line by line: the format fixes them. */
const votersLine = `voters ${base64(concat(state.config.voters.map(idBytes)))}`;
const lines = [originText(cluster, 1), '6', root, stateLine, votersLine];
const textOf = (some: readonly string[]): string => some.map((line) => `${line}\n`).join('');
const text = textOf(lines);

export function addCheckpoints(list: VectorList): void {
  const value = {
    origin: lines[0],
    size: 6,
    root: tree.root(),
    extensions: [stateLine, votersLine],
  };
  const add = (what: string, some: string): void => list.add('checkpoint', what, some, badEncoding);
  list.add('checkpoint', 'of the log', text, { value });
  add('a size with a zero before it', text.replace('\n6\n', '\n06\n'));
  add('a size beyond 2^53 - 1', text.replace('\n6\n', '\n9007199254740992\n'));
  add('an empty line', textOf([...lines.slice(0, 3), '', stateLine]));
  add('without its last newline', text.slice(0, -1));
  add('a root of 31 bytes', text.replace(root, base64(tree.root().subarray(1))));
  addNotes(list);
}

function addNotes(list: VectorList): void {
  const [one = '', two = '', three = ''] = voters;
  const timeSeconds = timeMs / 1000;
  const signed = (...keys: string[]) => keys.map((key) => ({ key, timeSeconds }));
  const add = (what: string, value: Parameters<typeof noteOf>[0], outcome?: string): void =>
    list.add('note', what, noteOf(value), outcome === undefined ? { value } : { outcome });
  const later = { key: two, timeSeconds: timeSeconds + 1 };
  const elsewhere = text.replace(originText(cluster, 1), originText(cluster, 2));
  add('two of three voters', { text, signatures: signed(one, three) });
  add('a stranger beside two voters', { text, signatures: signed(strangerKey, two, one) });
  add('one of three voters', { text, signatures: signed(two) }, 'too-few');
  add('one voter twice', { text, signatures: [...signed(two), later] }, 'too-few');
  add('of generation 2', { text: elsewhere, signatures: signed(one, two) }, 'other-origin');
  const note = noteOf({ text, signatures: signed(one, two) });
  list.add('note', 'another size', note.replace('\n6\n', '\n7\n'), badSignature);
  list.add('note', 'another state', note.replace(stateLine, `state ${root}`), badSignature);
  list.add('note', 'no line before the signatures', note.replace('\n\n', '\n'), badEncoding);
  list.add('note', 'a hyphen for a dash', note.replace('—', '-'), badEncoding);
}
