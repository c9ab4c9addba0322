// Makes gen/ from this folder: npm run dashboard. gen/ is committed, so that a fresh machine serves the page
// without building anything; test/unit/dashboard/build.test.ts fails when it is not what the sources make.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rolldown } from 'rolldown';

const here = new URL('./', import.meta.url);

/** The files of gen/ by name. */
export async function buildDashboard() {
  const bundle = await rolldown({
    input: new URL('page/main.tsx', here).pathname,
    platform: 'browser',
    tsconfig: new URL('tsconfig.json', here).pathname,
    transform: { target: 'es2023' },
  });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  if (output.length !== 1 || output[0].type !== 'chunk') throw new Error('one chunk was expected');
  const copied = ['index.html', 'style.css', 'icon.svg'];
  return new Map([
    ['app.js', output[0].code],
    ...copied.map((name) => [name, readFileSync(new URL(`page/${name}`, here), 'utf8')]),
  ]);
}

if (import.meta.url === new URL(process.argv[1] ?? '', 'file:').href) {
  mkdirSync(new URL('gen/', here), { recursive: true });
  for (const [name, text] of await buildDashboard()) {
    writeFileSync(new URL(`gen/${name}`, here), text);
    console.log(`${name}: ${text.length} characters`);
  }
}
