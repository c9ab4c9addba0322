import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');

type Import = { readonly file: string; readonly target: string };

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts'),
    )
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes('/gen/'));
}

/** Static and dynamic imports, of types too; relative ones resolved to paths from the root. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const pattern = /(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)'([^']+)'/gm;
  return [...text.matchAll(pattern)].map(([, specifier = '']) => ({
    file,
    target: specifier.startsWith('.')
      ? relative(root, resolve(root, dirname(file), specifier))
      : specifier,
  }));
}

const all = [...sources('src'), ...sources('sim')].flatMap(importsOf);

/** The table of style: which folders, packages and node modules each layer may import. */
const layers: readonly { readonly folder: string; readonly may: readonly RegExp[] }[] = [
  { folder: 'src/base/', may: [/^src\/base\//] },
  {
    folder: 'src/core/',
    may: [
      /^src\/(base|core)\//,
      /^@noble\//,
      /^@bufbuild\/protobuf/,
      /^@napi-rs\/blake-hash$/,
      /^node:(crypto|zlib)$/,
    ],
  },
  { folder: 'src/ports/', may: [/^src\/(base|core|ports)\//] },
  { folder: 'src/services/', may: [/^src\/(base|core|ports|services)\//] },
  // The server of the control API implements its types.
  {
    folder: 'src/adapters/control/',
    may: [
      /^src\/(base|core|ports)\//,
      /^src\/adapters\/control\//,
      /^src\/agent\/(api|control-wire|kit-types)\.ts$/,
      /^(?!src\/)/,
    ],
  },
  { folder: 'src/adapters/', may: [/^src\/(base|core|ports|adapters)\//, /^(?!src\/)/] },
  // The words of the page are the demo's as well.
  { folder: 'src/agent/compose/', may: [/^src\/(?!dashboard\/page)/, /^(?!src\/)/] },
  {
    folder: 'src/agent/',
    may: [/^src\/(base|core|ports|services|agent)\//, /^src\/cli\/backend\.ts$/, /^(?!src\/)/],
  },
  // Builds changed copies of the source, to import them.
  { folder: 'sim/raft/mutants-build.ts', may: [/^sim\//, /^src\//, /^node:/] },
  { folder: 'sim/watchdog.ts', may: [/^node:worker_threads$/] },
  { folder: 'sim/model/main.ts', may: [/^sim\//, /^node:(fs|util)$/] },
  {
    folder: 'sim/',
    may: [/^src\/(base|core|ports|services)\//, /^src\/agent\/agent\.ts$/, /^sim\//, /^node:util$/],
  },
  // The browser's half: of everything else it has types, and words that need no Node.
  {
    folder: 'src/dashboard/',
    may: [
      /^src\/dashboard\//,
      /^src\/agent\/(api|control-wire|[\w-]+-types)\.ts$/,
      /^src\/base\/(quantity|units)\.ts$/,
      /^src\/core\/policy\/[\w-]+\.ts$/,
      /^preact/,
    ],
  },
  { folder: 'src/cli/', may: [/^src\/(base|agent|cli)\//, /^src\/core\//, /^(?!src\/)/] },
];

test('the source tree is seen', () => {
  expect(all.length).toBeGreaterThan(300);
});

test('imports point downward only', () => {
  const wrong = all.filter(({ file, target }) => {
    const layer = layers.find(({ folder }) => file.startsWith(folder));
    return layer === undefined || !layer.may.some((pattern) => pattern.test(target));
  });
  expect(wrong).toEqual([]);
});

test('no adapter imports another adapter', () => {
  const folderOf = (path: string): string | undefined =>
    /^src\/adapters\/([^/]+)\//.exec(path)?.[1];
  const wrong = all.filter(({ file, target }) => {
    const [own, other] = [folderOf(file), folderOf(target)];
    return own !== undefined && other !== undefined && own !== other;
  });
  expect(wrong).toEqual([]);
});

test('ports hold no runtime code beside types', () => {
  const wrong = sources('src/ports').filter((file) =>
    /^export (?:function|class|const|let)\b/m.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(wrong).toEqual([]);
});

test('core and services use no clock, randomness, timer or process of their own', () => {
  const banned =
    /\b(?:Date\.now|new Date\(\)|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|AbortSignal\.timeout|process\.|randomBytes|getRandomValues)\b/;
  const wrong = [...sources('src/core'), ...sources('src/services')].filter((file) =>
    banned.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(wrong).toEqual([]);
});

test('no file is two rooms in one', () => {
  const long = [...sources('src'), ...sources('sim')].filter(
    (file) => readFileSync(join(root, file), 'utf8').split('\n').length > 400,
  );
  expect(long).toEqual([]);
});

test('each event of the log has one message, a constant of its area', async () => {
  const literal = /\.log\(\s*[^,;]+?,\s*['"`]|level: '\w+',\s*message: ['"`]/g;
  const wrong = sources('src').flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(literal)]
      .filter(([call]) => /(?:debug|info|warn|error)'/.test(call))
      .map(([call]) => `${file}: ${call}`),
  );
  expect(wrong).toEqual([]);
  const text = sources('src')
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const seen: string[] = [];
  for (const file of sources('src/core/log-messages')) {
    const areas: Record<string, Record<string, string>> = await import(join(root, file));
    for (const [area, messages] of Object.entries(areas)) {
      seen.push(...Object.values(messages));
      const unused = Object.keys(messages).filter((name) => !text.includes(`${area}.${name}`));
      expect(unused, file).toEqual([]);
    }
  }
  expect(seen.length).toBeGreaterThan(100);
  expect(seen.filter((message, index) => seen.indexOf(message) !== index)).toEqual([]);
});
