// Puts the program and its dependencies into few files, once for each state of the sources. Nothing depends on it:
// without a bundle the launcher starts the sources themselves, only slower.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundlePlace, bundles } from './bundle-place.mjs';

/** What is started by itself: the program, its threads and its child processes. */
const entries = [
  'cli/main',
  'adapters/compute/worker',
  'adapters/fs/read-worker',
  'adapters/fs/write-worker',
  'adapters/age/sealing-child',
  'adapters/age/mint-child',
  'adapters/system/lease-guard-child',
];
const kept = 8;
/** Packages with native code stay where they are, and what is large and hardly ever loaded. */
const apart = [/^koffi/, /^classic-level/, /^@napi-rs\/blake-hash/, /^@aws-sdk\//];

/** A module finds the threads that it starts in the bundle, and all other files where its source lies. */
const places = (threads) => ({
  name: 'places',
  transform: {
    filter: { id: /\/src\/.*\.ts$/ },
    handler(code, id) {
      if (!code.includes('import.meta.url')) return null;
      const own = JSON.stringify(pathToFileURL(id).href);
      const parts = code.split(/new URL\(\s*'\.\/([\w-]+)\.ts',\s*import\.meta\.url\s*\)/);
      return parts
        .map((part, i) =>
          i % 2 === 0
            ? part.replaceAll('import.meta.url', own)
            : `new URL('${threads}${part}.js', import.meta.url)`,
        )
        .join('');
    },
  },
});

/** What agents, threads and children run, and beside it the program once more for commands (see kept-code.mjs). */
async function build(target) {
  const src = fileURLToPath(new URL('..', import.meta.url));
  const input = Object.fromEntries(
    entries.map((entry) => [entry.replace(/.*\//, ''), join(src, `${entry}.ts`)]),
  );
  const draft = `${target}.${process.pid}`;
  await write({ input, plugins: [places('./')] }, { dir: draft, format: 'esm' });
  const commands = { input: { main: input.main }, plugins: [places('../')] };
  await write(commands, { dir: join(draft, 'commands'), format: 'cjs' });
  // Another may have been as quick; its bundle is the same.
  if (existsSync(target)) rmSync(draft, { recursive: true });
  else renameSync(draft, target);
}

async function write(from, to) {
  const { rolldown } = await import('rolldown');
  const bundle = await rolldown({ platform: 'node', external: apart, ...from });
  await bundle.write({ entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js', ...to });
  await bundle.close();
  // Without it Node reads each file twice, to find out what it is.
  const type = to.format === 'esm' ? 'module' : 'commonjs';
  writeFileSync(join(to.dir, 'package.json'), JSON.stringify({ type }));
}

/** An agent that runs from an older bundle still loads parts of it. */
function removeOld() {
  const found = readdirSync(bundles).map((name) => join(bundles, name));
  const byAge = found.map((path) => ({ path, madeMs: statSync(path).mtimeMs }));
  byAge.sort((a, b) => b.madeMs - a.madeMs);
  for (const { path } of byAge.slice(kept)) rmSync(path, { recursive: true, force: true });
}

const target = bundlePlace();
if (!existsSync(target)) {
  try {
    mkdirSync(bundles, { recursive: true });
    await build(target);
    removeOld();
  } catch (error) {
    console.error(`holdfast: the program starts slower, since it could not be bundled: ${error}`);
  }
}
