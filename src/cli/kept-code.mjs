// Runs a bundle of scripts with what V8 has compiled of them in earlier runs. Node's own compile cache is filled before
// a module runs, and so lacks each function that is compiled when it is first called: a fifth of the processor time
// of a short command went into these.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { constants, Script } from 'node:vm';
import { crc32 } from 'node:zlib';

const checkSize = 4;
/** More than there are commands: what was mistyped is kept too. */
const filesMax = 64;

/**
 * Runs `main.js` of `folder`, whose scripts are CommonJS. @returns its exports, and `keep`: to be called at the end,
 * with V8's flags as they are now, it writes `file` anew when that lacked a script that was loaded.
 */
export function runBundle(folder, file) {
  const kept = codeIn(file);
  const scripts = new Map();
  const modules = new Map();
  const outside = createRequire(join(folder, 'main.js'));
  const require = (name) => {
    if (!name.startsWith('./')) return outside(name);
    const known = modules.get(name);
    if (known !== undefined) return known.exports;
    const loaded = { exports: {} };
    modules.set(name, loaded);
    const filename = join(folder, name);
    const script = new Script(
      `(function (exports, require, module, __filename, __dirname) {${readFileSync(filename, 'utf8')}\n})`,
      {
        filename,
        cachedData: kept.get(name),
        importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      },
    );
    scripts.set(name, script);
    script.runInThisContext()(loaded.exports, require, loaded, filename, folder);
    return loaded.exports;
  };
  const exports = require('./main.js');
  const isKept = ([name, script]) => kept.has(name) && script.cachedDataRejected === false;
  const keep = () => {
    if (![...scripts].every(isKept)) write(file, scripts);
  };
  return { exports, keep };
}

/** By the name of the script; nothing where there is no such file, or a damaged one, which V8 would not notice. */
function codeIn(file) {
  try {
    const bytes = readFileSync(file);
    const content = bytes.subarray(checkSize);
    if (bytes.readUInt32LE(0) === crc32(content)) return deserialize(content);
  } catch {
    // It is made anew.
  }
  return new Map();
}

function write(file, scripts) {
  const code = [...scripts].map(([name, script]) => [name, script.createCachedData()]);
  const content = serialize(new Map(code));
  const check = Buffer.alloc(checkSize);
  check.writeUInt32LE(crc32(content));
  const draft = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    if (readdirSync(dirname(file)).length >= filesMax) return;
    try {
      writeFileSync(draft, Buffer.concat([check, content]), { mode: 0o600 });
      renameSync(draft, file);
    } finally {
      rmSync(draft, { force: true });
    }
  } catch {
    // Another user's installation, or a full disk: all goes on without.
  }
}
