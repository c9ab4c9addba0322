// Makes the page's script from this folder: npm run dashboard. gen/ is committed, so that a fresh machine serves the
// page without building anything; test/unit/dashboard/build.test.ts fails when it is not what the sources make.
import { mkdirSync, writeFileSync } from 'node:fs';
import { rolldown } from 'rolldown';

const here = new URL('./', import.meta.url);

/** The text of gen/app.js. */
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
  return output[0].code;
}

if (import.meta.url === new URL(process.argv[1] ?? '', 'file:').href) {
  mkdirSync(new URL('gen/', here), { recursive: true });
  const script = await buildDashboard();
  writeFileSync(new URL('gen/app.js', here), script);
  console.log(`app.js: ${script.length} characters`);
}
