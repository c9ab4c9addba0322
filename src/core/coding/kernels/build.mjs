// `npm run kernels`: compiles kernels.as for processors with and without relaxed SIMD, and writes both as text into
// ../gen/kernels.ts. Text, since core reads no files.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname;
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-kernels-'));
// The compiler takes nothing by another name, and linters would take that for TypeScript.
const entry = join(scratch, 'kernels.ts');
copyFileSync(join(here, 'kernels.as'), entry);

function compiled(features) {
  const out = join(scratch, 'kernels.wasm');
  const flags = ['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort='];
  const memory = ['--initialMemory', '16', '--maximumMemory', '16'];
  const enabled = features.flatMap((feature) => ['--enable', feature]);
  execFileSync('asc', [entry, '-o', out, ...flags, ...memory, ...enabled], { stdio: 'inherit' });
  return readFileSync(out).toString('base64');
}

try {
  const text = (name, base64) => `export const ${name} =\n  '${base64}';\n`;
  writeFileSync(
    join(here, '../gen/kernels.ts'),
    `// Made by npm run kernels from ../kernels/kernels.as: WebAssembly, in base64.
${text('relaxedSimd', compiled(['simd', 'relaxed-simd']))}${text('plainSimd', compiled(['simd']))}`,
  );
} finally {
  rmSync(scratch, { recursive: true });
}
