import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../../src/base/bytes.ts';
import { PathPattern } from '../../../../src/core/policy/path-pattern.ts';

function matches(pattern: string, path: string, isDirectory = false, ignoreCase = false): boolean {
  return PathPattern.parse(pattern, { ignoreCase }).matches(utf8(path), isDirectory);
}

describe('PathPattern', () => {
  test.each([
    // Without a slash: the last name, wherever it is.
    ['*.log', '/a.log', true],
    ['*.log', '/var/log/x/a.log', true],
    ['*.log', '/a.log/b', false],
    ['*.log', '/a.logs', false],
    ['?.c', '/src/x.c', true],
    ['?.c', '/src/xy.c', false],
    ['?', '/ü', true],
    ['a*b*c', '/aXXbYYc', true],
    ['a*b*c', '/aXXcYYb', false],
    ['*', '/anything', true],
    // With a slash: from the root on.
    ['/tmp', '/tmp', true],
    ['/tmp', '/var/tmp', false],
    ['home/a', '/home/a', true],
    ['home/a', '/x/home/a', false],
    ['/home/*/cache', '/home/u/cache', true],
    ['/home/*/cache', '/home/u/v/cache', false],
    // ** spans components.
    ['**/cache', '/cache', true],
    ['**/cache', '/home/u/cache', true],
    ['/a/**/b', '/a/b', true],
    ['/a/**/b', '/a/x/y/b', true],
    ['/a/**/b', '/a/x/y/c', false],
    ['/a/**', '/a/x/y', true],
    ['/a/**', '/a', false],
    ['**', '/whatever/it/is', true],
    ['/a/b**c/d', '/a/bXc/d', true],
    ['/a/b**c/d', '/a/b/c/d', false],
    // Classes.
    ['[abc]x', '/bx', true],
    ['[a-c]x', '/dx', false],
    ['[!a-c]x', '/dx', true],
    ['[^a-c]x', '/ax', false],
    ['[]]x', '/]x', true],
    ['[a-]x', '/-x', true],
    ['[\\]]x', '/]x', true],
    // Escapes.
    ['\\*x', '/*x', true],
    ['\\*x', '/ax', false],
    ['\\!x', '/!x', true],
    ['a\\?', '/a?', true],
  ])('%s against %s: %s', (pattern, path, isMatch) => {
    expect(matches(pattern, path)).toBe(isMatch);
  });

  test('a slash at the end asks for a directory', () => {
    expect(matches('cache/', '/home/cache', true)).toBe(true);
    expect(matches('cache/', '/home/cache', false)).toBe(false);
    expect(matches('/home/cache/', '/home/cache', true)).toBe(true);
  });

  test('a slash only at the end does not anchor', () => {
    expect(matches('cache/', '/deep/down/cache', true)).toBe(true);
  });

  test('case counts unless it is to be ignored', () => {
    expect(matches('*.JPG', '/a.jpg')).toBe(false);
    expect(matches('*.JPG', '/a.jpg', false, true)).toBe(true);
    expect(matches('[A-C]Ä', '/bä', false, true)).toBe(true);
  });

  test('names that are no UTF-8 still match wildcards', () => {
    const name = Uint8Array.of(0x2f, 0x61, 0xff, 0x2e, 0x63);
    expect(PathPattern.parse('a?.c').matches(name, false)).toBe(true);
    expect(PathPattern.parse('*.c').matches(name, false)).toBe(true);
    expect(PathPattern.parse('a.c').matches(name, false)).toBe(false);
  });

  test.each(['', '/', '!x', '[ab', 'x\\', '[b-a]', './', 'x'.repeat(5000)])(
    'the pattern %j is refused with its reason',
    (text) => {
      expect(() => PathPattern.parse(text)).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );

  test('a directory under which nothing can match may be passed by', () => {
    const below = (pattern: string, path: string): boolean =>
      PathPattern.parse(pattern).couldMatchBelow(utf8(path));
    expect(below('/home/a/docs', '/')).toBe(true);
    expect(below('/home/a/docs', '/home')).toBe(true);
    expect(below('/home/a/docs', '/home/a')).toBe(true);
    expect(below('/home/a/docs', '/home/b')).toBe(false);
    expect(below('/home/a/docs', '/home/a/docs')).toBe(false);
    expect(below('/home/*/docs', '/home/b')).toBe(true);
    expect(below('/home/**/docs', '/home/b/c/d')).toBe(true);
    expect(below('/home/**', '/home/b')).toBe(true);
    expect(below('*.txt', '/any/where')).toBe(true);
  });

  test('whatever matches lies below directories that could have matches below', () => {
    const part = fc.constantFrom('a', 'b', 'ab', '*', '**', '?', 'a*');
    const name = fc.constantFrom('a', 'b', 'ab', 'ba');
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 2, maxLength: 5 }),
        fc.array(name, { minLength: 1, maxLength: 6 }),
        (parts, names) => {
          const pattern = PathPattern.parse(`/${parts.join('/')}`);
          if (!pattern.matches(utf8(`/${names.join('/')}`), false)) return;
          for (let depth = 0; depth < names.length; depth++) {
            const above = `/${names.slice(0, depth).join('/')}`;
            expect(pattern.couldMatchBelow(utf8(above)), above).toBe(true);
          }
        },
      ),
    );
  });

  test('agrees with a regular expression on patterns of stars', () => {
    const part = fc.constantFrom('a', 'b', '*', '?');
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 8 }),
        fc.stringMatching(/^[ab]{1,10}$/),
        (parts, name) => {
          const text = parts.join('');
          if (text === '**') return;
          const expression = text.replace(/\*+/g, '.*').replace(/\?/g, '.');
          expect(matches(text, `/${name}`)).toBe(new RegExp(`^${expression}$`).test(name));
        },
      ),
    );
  });

  test('a pattern made to be slow is not', () => {
    const pattern = PathPattern.parse(`/${'**/'.repeat(200)}${'*a'.repeat(200)}b`);
    const path = utf8(`/${'a/'.repeat(200)}${'a'.repeat(255)}`);
    const start = performance.now();
    expect(pattern.matches(path, false)).toBe(false);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
