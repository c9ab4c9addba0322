import { describe, expect, test } from 'vitest';
import { concat, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { publicKeyOf, sign } from '../../../../src/core/crypto/signature.ts';
import {
  type Checkpoint,
  type CheckpointKey,
  cosignCheckpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  encodeSignedCheckpoint,
  signCheckpoint,
  verifyCheckpoint,
} from '../../../../src/core/format/checkpoint.ts';
import {
  decodeNote,
  encodeNote,
  fromBase64,
  isKeyName,
  type NoteSignature,
  noteKeyId,
  noteSignaturesMax,
  noteSizeMax,
  signatureTypes,
  toBase64,
} from '../../../../src/core/format/signed-note.ts';
import { type AgentKey, idBytes, idOf } from '../../../../src/core/ids.ts';
import vectors from '../../../vectors/checkpoint.json' with { type: 'json' };

const origin = 'holdfast.example/control';
const checkpoint: Checkpoint = {
  origin,
  size: 123,
  root: new Uint8Array(32).fill(9),
  extensions: [],
};
const text = encodeCheckpoint(checkpoint);

describe('the vectors of public logs', () => {
  test.each(vectors.checkpoints)('$name', (vector) => {
    const keys = vector.keys.map(keyOf);
    const expected = { origin: vector.origin, keys, threshold: keys.length };
    const verdict = verifyCheckpoint(vector.note, expected);
    expect(verdict).toMatchObject({
      kind: 'verified',
      checkpoint: { origin: vector.origin, size: vector.size, extensions: [] },
      signatures: keys.map((by) => ({
        by,
        timeSeconds: by.type === 'cosignature' ? vector.timeSeconds : undefined,
      })),
    });
    expect(encodeNote(decodeNote(vector.note))).toBe(vector.note);
    const size = String(vector.size);
    const changed = vector.note.replace(size, `${size}0`);
    expect(verifyCheckpoint(changed, expected).kind).toBe('bad-signature');
  });

  test('a note signed here is the one that the reference makes', () => {
    const { signedNote } = vectors;
    const by = keyOf(signedNote.key);
    const secret = fromBase64(signedNote.secret)?.subarray(1) as Uint8Array;
    expect(idOf(publicKeyOf(secret))).toBe(by.key);
    const signature = signCheckpoint(signedNote.text, by, secret);
    expect(encodeNote({ text: signedNote.text, signatures: [signature] })).toBe(signedNote.note);
  });
});

describe('the text of a checkpoint', () => {
  test('comes back as it was, with and without extensions', () => {
    expect(text).toBe(`${origin}\n123\n${toBase64(checkpoint.root)}\n`);
    for (const extensions of [[], ['one', 'two words — ü']]) {
      for (const size of [0, 1, Number.MAX_SAFE_INTEGER]) {
        const sample = { ...checkpoint, size, extensions };
        expect(decodeCheckpoint(encodeCheckpoint(sample))).toEqual(sample);
      }
    }
  });

  const root = toBase64(checkpoint.root);
  test.each([
    ['nothing', ''],
    ['two lines', `${origin}\n1\n`],
    ['no last newline', `${origin}\n1\n${root}`],
    ['an empty origin', `\n1\n${root}\n`],
    ['an empty extension', `${origin}\n1\n${root}\n\n`],
    ['an empty extension before another', `${origin}\n1\n${root}\n\nx\n`],
    ['a size with leading zeros', `${origin}\n01\n${root}\n`],
    ['a size with a sign', `${origin}\n+1\n${root}\n`],
    ['a negative size', `${origin}\n-1\n${root}\n`],
    ['a size in another notation', `${origin}\n1e3\n${root}\n`],
    ['a size that is not exact', `${origin}\n9007199254740992\n${root}\n`],
    ['an empty size', `${origin}\n\n${root}\n`],
    ['a root that is short', `${origin}\n1\n${toBase64(new Uint8Array(31))}\n`],
    ['a root that is long', `${origin}\n1\n${toBase64(new Uint8Array(33))}\n`],
    ['a root without padding', `${origin}\n1\n${root.slice(0, -1)}\n`],
    ['a root with stray bits', `${origin}\n1\n${root.slice(0, -2)}l=\n`],
    ['a root of the URL alphabet', `${origin}\n1\n${'_'.repeat(43)}=\n`],
    ['a space after the root', `${origin}\n1\n${root} \n`],
    ['a tab', `a\tb\n1\n${root}\n`],
    ['a carriage return', `${origin}\r\n1\r\n${root}\r\n`],
  ])('%s is refused', (_, bad) => {
    expect(() => decodeCheckpoint(bad)).toThrow(expect.objectContaining({ code: 'bad-encoding' }));
  });

  test('lines that would make another checkpoint are a bug', () => {
    for (const bad of [
      { origin: 'a\n9' },
      { origin: '' },
      { extensions: [''] },
      { extensions: ['a\nb'] },
      { size: 1.5 },
      { size: -1 },
      { root: new Uint8Array(31) },
    ]) {
      expect(() => encodeCheckpoint({ ...checkpoint, ...bad })).toThrow();
    }
  });
});

describe('a signed note', () => {
  const line = '— name AAAAAAE=';
  test.each([
    ['no signature', 'text\n\n'],
    ['no empty line', `text\n${line}\n`],
    ['no last newline', `text\n\n${line}`],
    ['an empty line at the end', `text\n\n${line}\n\n`],
    ['another line among the signatures', `text\n\n${line}\nx\n`],
    ['a hyphen for the dash', 'text\n\n- name AAAAAAE=\n'],
    ['a signature of a key id only', 'text\n\n— name AAAAAA==\n'],
    ['stray bits in a signature', 'text\n\n— name AAAAAAF=\n'],
    ['a plus in a name', 'text\n\n— na+me AAAAAAE=\n'],
    ['a space in a name', 'text\n\n— na me AAAAAAE=\n'],
    ['a no-break space in a name', 'text\n\n— na\u00a0me AAAAAAE=\n'],
    ['a next-line character in a name', 'text\n\n— na\u0085me AAAAAAE=\n'],
    ['a space at the end', `text\n\n${line} \n`],
    ['a control character', `te\u0001xt\n\n${line}\n`],
    ['half a surrogate pair', `te\ud800xt\n\n${line}\n`],
    ['too many signatures', `text\n\n${`${line}\n`.repeat(noteSignaturesMax + 1)}`],
    ['too long a text', `${'x'.repeat(noteSizeMax)}\n\n${line}\n`],
  ])('%s is refused', (_, bad) => {
    expect(() => decodeNote(bad)).toThrow(expect.objectContaining({ code: 'bad-encoding' }));
  });

  test('its text ends at the last empty line', () => {
    const note = decodeNote(`one\n\ntwo\n\n${line}\n${line}\n`);
    expect(note.text).toBe('one\n\ntwo\n');
    expect(note.signatures).toHaveLength(2);
    expect(encodeNote(note)).toBe(`one\n\ntwo\n\n${line}\n${line}\n`);
  });

  test('names are without spaces and plus signs', () => {
    for (const name of ['a', 'example.com/log', 'ü—', 'Ω']) expect(isKeyName(name)).toBe(true);
    for (const name of ['', 'a b', 'a+b', 'a\n', 'a\u2028', 'a\u0000']) {
      expect(isKeyName(name)).toBe(false);
    }
  });

  test('key ids differ between names, types and keys', () => {
    const [a, b] = [new Uint8Array(32), new Uint8Array(32).fill(1)];
    const ids = [
      noteKeyId('x', 'ed25519', a),
      noteKeyId('y', 'ed25519', a),
      noteKeyId('x', 'cosignature', a),
      noteKeyId('x', 'ed25519', b),
    ];
    expect(new Set(ids.map(toHex)).size).toBe(4);
  });
});

describe('verifyCheckpoint', () => {
  const log = signer(1, 'ed25519', origin);
  const witnesses = [2, 3, 4].map((n) => signer(n, 'cosignature'));
  const keys = [log, ...witnesses].map(({ by }) => by);

  test('counts the keys that have signed, each with the time that it gave', () => {
    const signed = signedBy(log, ...witnesses.slice(0, 2));
    expect(verifyCheckpoint(signed, { origin, keys, threshold: 3 })).toEqual({
      kind: 'verified',
      checkpoint,
      signatures: keys
        .slice(0, 3)
        .map((by, i) => ({ by, timeSeconds: i === 0 ? undefined : 1000 })),
    });
    expect(verifyCheckpoint(signed, { origin, keys, threshold: 4 })).toEqual({
      kind: 'too-few',
      found: 3,
      needed: 4,
    });
  });

  test('one key counts once, however many lines, names and types it signs with', () => {
    const [one] = witnesses as [Signer];
    const others = [signer(2, 'cosignature', 'another-name'), signer(2, 'ed25519', 'third')];
    const signed = signedBy(one, one, ...others);
    const all = [one, ...others].map(({ by }) => by);
    expect(verifyCheckpoint(signed, { origin, keys: all, threshold: 2 })).toMatchObject({
      kind: 'too-few',
      found: 1,
    });
    expect(
      verifyCheckpoint(signed, { origin, keys: [...all, ...all], threshold: 1 }),
    ).toMatchObject({
      kind: 'verified',
      signatures: [{ by: one.by }],
    });
  });

  test('lines of unknown keys are ignored, even when name or key id is a known one', () => {
    const [one, two] = witnesses.map(({ line }) => line) as [NoteSignature, NoteSignature];
    const foreign = [
      signer(9, 'cosignature', 'stranger').line,
      signer(9, 'cosignature', one.name).line,
      { ...two, name: one.name },
      { ...one, name: 'stranger' },
      { name: 'short', keyId: new Uint8Array(4), bytes: Uint8Array.of(1) },
    ];
    const signed = encodeSignedCheckpoint(text, [...foreign, one]);
    expect(verifyCheckpoint(signed, { origin, keys, threshold: 1 })).toMatchObject({
      kind: 'verified',
      signatures: [{ by: witnesses[0]?.by }],
    });
    expect(verifyCheckpoint(signed, { origin, keys, threshold: 2 }).kind).toBe('too-few');
  });

  test('a line of a known key that does not verify refuses all of it', () => {
    const [one] = witnesses as [Signer];
    const { bytes } = one.line;
    const later = bytes.with(7, 1);
    for (const bad of [
      later,
      bytes.with(71, (bytes[71] as number) ^ 1),
      bytes.subarray(0, 71),
      concat([bytes, Uint8Array.of(0)]),
      bytes.with(0, 0x80),
      bytes.subarray(8),
    ]) {
      const signed = encodeSignedCheckpoint(text, [log.line, { ...one.line, bytes: bad }]);
      expect(verifyCheckpoint(signed, { origin, keys, threshold: 1 })).toEqual({
        kind: 'bad-signature',
        by: one.by,
      });
    }
  });

  test('a signature of one type does not pass for the other', () => {
    const { by } = witnesses[0] as Signer;
    const plain = { name: by.name, keyId: (witnesses[0] as Signer).line.keyId };
    const bytes = concat([new Uint8Array(8), sign(secretOf(2), utf8(text))]);
    const signed = encodeSignedCheckpoint(text, [{ ...plain, bytes }]);
    expect(verifyCheckpoint(signed, { origin, keys, threshold: 1 }).kind).toBe('bad-signature');
  });

  test('signatures of another text do not hold, extensions included', () => {
    const { line } = log;
    for (const change of [{ size: 124 }, { root: new Uint8Array(32) }, { extensions: ['x'] }]) {
      const other = encodeCheckpoint({ ...checkpoint, ...change });
      for (const one of [line, (witnesses[0] as Signer).line]) {
        const verdict = verifyCheckpoint(encodeSignedCheckpoint(other, [one]), {
          origin,
          keys,
          threshold: 1,
        });
        expect(verdict.kind).toBe('bad-signature');
      }
    }
  });

  test('a checkpoint of another log is told apart before its signatures are looked at', () => {
    const verdict = verifyCheckpoint(signedBy(log), { origin: 'other', keys, threshold: 1 });
    expect(verdict).toEqual({ kind: 'other-origin', origin });
  });

  test('a key of small order, under which one signature fits many texts, signs nothing', () => {
    const identity = Uint8Array.of(1, ...new Uint8Array(31));
    const by: CheckpointKey = { name: 'small', key: idOf<AgentKey>(identity), type: 'ed25519' };
    const bytes = concat([identity, new Uint8Array(32)]);
    const line = { name: 'small', keyId: noteKeyId('small', 'ed25519', identity), bytes };
    const signed = encodeSignedCheckpoint(text, [line]);
    expect(verifyCheckpoint(signed, { origin, keys: [by], threshold: 1 }).kind).toBe(
      'bad-signature',
    );
  });

  test('what is no checkpoint is said to be none', () => {
    for (const bad of ['', text, `${text}\nnonsense\n`, signedBy(log).replace('123', '0123')]) {
      const verdict = verifyCheckpoint(bad, { origin, keys, threshold: 1 });
      expect(verdict).toMatchObject({ kind: 'bad-encoding', reason: expect.any(String) });
    }
  });

  test('a threshold that nothing would have to reach is a bug', () => {
    for (const threshold of [0, -1, 0.5, Number.NaN]) {
      expect(() => verifyCheckpoint(signedBy(log), { origin, keys, threshold })).toThrow();
    }
  });
});

type Signer = { readonly by: CheckpointKey; readonly line: NoteSignature };

/** A key of its own for each number, and its signature of the sample. */
function signer(n: number, type: CheckpointKey['type'], name = `witness-${n}`): Signer {
  const secret = secretOf(n);
  const by: CheckpointKey = { name, key: idOf<AgentKey>(publicKeyOf(secret)), type };
  if (type === 'ed25519') return { by, line: signCheckpoint(text, by, secret) };
  return { by, line: cosignCheckpoint(text, { by, secret, timeSeconds: 1000 }) };
}

function secretOf(n: number): Uint8Array {
  return new Uint8Array(32).fill(n);
}

describe('Base64', () => {
  test.each([0, 1, 2, 3, 4, 31, 32, 33])('of %i bytes is read back', (size) => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => 37 * i + 201);
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  });

  test.each([
    'AB==',
    'AAAAAB==',
    'AAB=',
    'AAAAAAB=',
    '=',
    '====',
    'A===',
    'AAA',
    'AA==AAAA',
    'AA-_',
  ])('that nobody would write is refused: %s', (written) => {
    expect(fromBase64(written)).toBeUndefined();
  });
});

function signedBy(...signers: readonly Signer[]): string {
  return encodeSignedCheckpoint(
    text,
    signers.map(({ line }) => line),
  );
}

/** From "name+key id+Base64", as C2SP writes verifier keys. */
function keyOf(encoded: string): CheckpointKey {
  const [, name = '', keyId = '', base64 = ''] =
    /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(encoded) ?? [];
  const bytes = fromBase64(base64) as Uint8Array;
  const type = bytes[0] === signatureTypes.ed25519 ? 'ed25519' : 'cosignature';
  const by: CheckpointKey = { name, key: idOf<AgentKey>(bytes.slice(1)), type };
  expect(toHex(noteKeyId(name, type, idBytes(by.key)))).toBe(keyId);
  return by;
}
