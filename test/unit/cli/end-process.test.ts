import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

const module = new URL('../../../src/cli/end-process.ts', import.meta.url).href;

/** A program that ends itself in a thread's way out: its exit handlers never come to an end. */
async function codeOf(program: string): Promise<unknown> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const [code] = await once(child, 'close');
  return { code, out };
}

it('ends with the code, whatever the ways out would still do', async () => {
  const program = `
    import { endProcess } from ${JSON.stringify(module)};
    process.on('exit', () => { for (;;); });
    setInterval(() => {}, 1000);
    process.stdout.write('all of it');
    await endProcess(21);`;
  expect(await codeOf(program)).toEqual({ code: 21, out: 'all of it' });
});
