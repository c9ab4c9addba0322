import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Block, pageOf, runbookIn } from '../../../src/dashboard/model/runbook.ts';

const directory = resolve(import.meta.dirname, '../../../docs/runbooks');

function commandsIn(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block) => {
    if (block.kind === 'commands') return [...block.lines];
    return block.kind === 'steps' || block.kind === 'points' ? block.items.flatMap(commandsIn) : [];
  });
}

describe('a runbook', () => {
  test('is read into what a page can show', () => {
    const text =
      '# Lost\n\nYou **see** `x`.\n\n1. Look:\n\n       holdfast status\n\n   Then [more](key-lost.md).\n2. Or [read](../keys.md#a).\n';
    expect(runbookIn(text)).toEqual([
      { kind: 'heading', spans: [{ kind: 'text', text: 'Lost' }] },
      {
        kind: 'paragraph',
        spans: [
          { kind: 'text', text: 'You ' },
          { kind: 'strong', text: 'see' },
          { kind: 'text', text: ' ' },
          { kind: 'code', text: 'x' },
          { kind: 'text', text: '.' },
        ],
      },
      {
        kind: 'steps',
        items: [
          [
            { kind: 'paragraph', spans: [{ kind: 'text', text: 'Look:' }] },
            { kind: 'commands', lines: ['holdfast status'] },
            {
              kind: 'paragraph',
              spans: [
                { kind: 'text', text: 'Then ' },
                { kind: 'page', text: 'more', page: 'key-lost' },
                { kind: 'text', text: '.' },
              ],
            },
          ],
          [
            {
              kind: 'paragraph',
              spans: [
                { kind: 'text', text: 'Or ' },
                { kind: 'text', text: 'read (docs/keys.md)' },
                { kind: 'text', text: '.' },
              ],
            },
          ],
        ],
      },
    ]);
  });

  test.each(readdirSync(directory))(
    '%s has steps, and no mark of it is left in its text',
    (name) => {
      const blocks = runbookIn(readFileSync(join(directory, name), 'utf8'));
      expect(blocks[0]?.kind).toBe('heading');
      expect(blocks.some(({ kind }) => kind === 'steps')).toBe(true);
      expect(commandsIn(blocks).every((line) => !line.includes('`'))).toBe(true);
      expect(JSON.stringify(blocks)).not.toMatch(/\]\(|\*\*/);
      expect(pageOf(`docs/runbooks/${name}`)).toBe(name.replace('.md', ''));
    },
  );
});
