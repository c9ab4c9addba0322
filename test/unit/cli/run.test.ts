import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../../src/cli/program.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { fakeBackend, jsonLines, run, stream, withAgent, withSession } from './fake-world.ts';

function commandPaths(command: Command, path: string[] = []): string[][] {
  return command.commands.flatMap((sub) => {
    const own = [...path, sub.name()];
    return [own, ...commandPaths(sub, own)];
  });
}

const silent = { out: () => undefined, err: () => undefined, columns: 80 };
const everyCommand = commandPaths(createProgram(() => undefined, silent));

const docs = ['README.md', ...readdirSync('docs').map((name) => `docs/${name}`)]
  .filter((file) => file.endsWith('.md'))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

function isBelow(path: readonly string[], parent: readonly string[]): boolean {
  return parent.every((word, i) => path[i] === word);
}

describe('help', () => {
  const leaves = everyCommand.filter(
    (path) => !everyCommand.some((other) => other.length > path.length && isBelow(other, path)),
  );

  it.each(leaves.map((path) => path.join(' ')))('is not all: the docs show %s', (name) => {
    expect(docs).toContain(`holdfast ${name}`);
  });

  it.each(everyCommand.map((path) => [path.join(' '), path] as const))(
    'of %s is printed and is a success',
    async (name, path) => {
      const { code, out, err } = await run([...path, '--help']);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toContain(`Usage: holdfast ${name}`);
      expect(out).toContain('--json');
    },
  );

  it('of the program names the exit codes', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    expect(out).toContain('21 too few shards');
  });
});

describe('a wrong command line', () => {
  it.each(everyCommand.map((path) => [path.join(' '), path] as const))(
    'exits 2 and names an unknown flag of %s',
    async (name, path) => {
      const { code, out, err } = await run([...path, '--bogus']);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain("unknown option '--bogus'");
      expect(err).toContain(`next: holdfast ${name} --help`);
    },
  );

  it('exits 2 and suggests the command that was meant', async () => {
    const { code, err } = await run(['bakcup', '/x']);
    expect(code).toBe(2);
    expect(err).toContain("unknown command 'bakcup' (did you mean backup?)");
    expect(err).toContain('next: holdfast --help');
  });

  it('exits 2 when a command, an option or an argument is missing', async () => {
    for (const argv of [[], ['peer'], ['init'], ['restore', 'latest'], ['ls'], ['peer', 'show']]) {
      expect((await run(argv)).code).toBe(2);
    }
  });

  it('exits 2 for values that cannot be', async () => {
    for (const argv of [
      ['backup', '/x', '--exclude-larger-than', 'big'],
      ['restore', 'latest', '-t', '/x', '--overwrite', 'sometimes'],
      ['invite', '--site', 'a', '--region', 'b', '--ttl', 'soon'],
      ['invite', '--site', 'a', '--region', 'b', '--role', 'king'],
      ['completion', 'csh'],
      ['status', 'extra'],
    ]) {
      const { code, err } = await run(argv);
      expect(code).toBe(2);
      expect(err).toContain('next: ');
    }
  });

  it('is reported as JSON when JSON is asked for', async () => {
    const { code, out, err } = await run(['backup', '--bogus', '--json']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(jsonLines(err)).toEqual([
      {
        message_type: 'exit_error',
        code: 'usage',
        exit_code: 2,
        message: "unknown option '--bogus'",
        next: 'holdfast backup --help',
      },
    ]);
  });
});

describe('a failing command', () => {
  const failing = (error: unknown) =>
    withAgent({ status: () => Promise.reject(error), peers: async () => [] });

  it('prints the message and the next command, and exits with the code of the error', async () => {
    const error = new HoldfastError('no-quorum', 'two of five voters', {
      next: 'holdfast peer list',
    });
    const { code, out, err } = await run(['status'], { backend: failing(error) });
    expect({ code, out }).toEqual({ code: 20, out: '' });
    const lines = [
      'holdfast: two of five voters',
      'runbook: docs/runbooks/quorum-lost.md',
      'next: holdfast peer list',
    ];
    expect(err).toBe(`${lines.join('\n')}\n`);
  });

  it.each([
    ['holdfast peer list', "holdfast peer list -s '/work/a b'"],
    ['holdfast peer show nas, then look', "holdfast peer show -s '/work/a b' nas, then look"],
    ['wait; then: holdfast check on it', "wait; then: holdfast check -s '/work/a b' on it"],
    ['holdfast restore plan www --to a', "holdfast restore plan -s '/work/a b' www --to a"],
    ['holdfast restore latest -t DIR', "holdfast restore -s '/work/a b' latest -t DIR"],
    ['holdfast init, holdfast join, or another state directory with -s', undefined],
    ['restore with the kit: holdfast restore --help', undefined],
    ['on nas: holdfast key rotate home', undefined],
    ['its owner runs: holdfast operator key -o FILE', undefined],
    ["holdfast status -s '/work/a b'", undefined],
  ])('names the state directory that was typed in: %s', async (next, wanted = next) => {
    const error = new HoldfastError('failed', 'what', { next });
    const typed = ['status', '-s', 'a b'];
    const { err } = await run(typed, { backend: failing(error) });
    expect(err).toBe(`holdfast: what\nnext: ${wanted}\n`);
    const json = await run([...typed, '--json'], { backend: failing(error) });
    expect(jsonLines(json.err)).toMatchObject([{ next: wanted }]);
  });

  it('prints one JSON line with --json', async () => {
    const error = new HoldfastError('rollback', 'older', { next: 'x', details: { sequence: 3 } });
    const { code, err } = await run(['status', '--json'], { backend: failing(error) });
    expect(code).toBe(23);
    expect(jsonLines(err)).toEqual([
      {
        message_type: 'exit_error',
        code: 'rollback',
        exit_code: 23,
        message: 'older',
        next: 'x',
        runbook: 'docs/runbooks/corrupt-peer.md',
        details: { sequence: 3 },
      },
    ]);
  });

  it('keeps unexpected errors short, and shows where they arose with -v', async () => {
    const backend = failing(new TypeError('x is not a function'));
    const short = await run(['status'], { backend });
    expect(short.code).toBe(1);
    expect(short.err).toContain('unexpected error: x is not a function');
    expect(short.err).not.toContain('run.test.ts');
    const long = await run(['status', '-v'], { backend });
    expect(long.err).toContain('run.test.ts');
  });

  it('lets no control character of others reach the terminal', async () => {
    const error = new HoldfastError('failed', 'evil \u001b[2J name', { next: 'a\u0007b' });
    const { err } = await run(['status'], { backend: failing(error) });
    expect(err).toBe('holdfast: evil \\x1b[2J name\nnext: a\\x07b\n');
  });
});

describe('the state directory and the configuration', () => {
  async function stateOf(argv: string[], env: Record<string, string>, uid = 1000): Promise<string> {
    let seen = '';
    const control = (stateDir: string): never => {
      seen = stateDir;
      throw new HoldfastError('failed', 'enough');
    };
    await run(argv, { backend: fakeBackend({ control }), env, uid });
    return seen;
  }

  it('come from the option, else the environment, else from who runs it', async () => {
    const env = { HOME: '/home/a', HOLDFAST_STATE_DIR: '/env' };
    expect(await stateOf(['status', '-s', 'here'], env)).toBe('/work/here');
    expect(await stateOf(['-s', '/option', 'status'], env)).toBe('/option');
    expect(await stateOf(['status'], env)).toBe('/env');
    expect(await stateOf(['status'], { HOME: '/home/a' })).toBe('/home/a/.local/state/holdfast');
    expect(await stateOf(['status'], { HOME: '/root' }, 0)).toBe('/var/lib/holdfast');
  });

  it('reach the agent with the log level that is asked for', async () => {
    const seen: unknown[] = [];
    const backend = fakeBackend({ runAgent: async (options) => void seen.push(options) });
    await run(['agent', '-s', '/s', '-c', 'c.json', '-v'], { backend });
    await run(['agent', '-s', '/s', '-q'], { backend, env: { HOLDFAST_CONFIG: '/e.json' } });
    expect(seen).toEqual([
      { stateDir: '/s', configFile: '/work/c.json', logLevel: 'debug' },
      { stateDir: '/s', configFile: '/e.json', logLevel: 'warn' },
    ]);
  });
});

describe('Ctrl-C', () => {
  it('cancels the work and exits 130', async () => {
    const interrupt = new AbortController();
    let isReturned = false;
    const endless: AsyncIterator<never> = {
      next: () => new Promise(() => undefined),
      return: async () => {
        isReturned = true;
        return { done: true, value: undefined };
      },
    };
    const backend = withAgent({ check: () => ({ [Symbol.asyncIterator]: () => endless }) });
    setTimeout(() => interrupt.abort(new Error('SIGINT')), 20);
    const { code, err } = await run(['check'], { backend, signal: interrupt.signal });
    expect({ code, isReturned }).toEqual({ code: 130, isReturned: true });
    expect(err).toBe('holdfast: interrupted\n');
  });

  it('ends a wait for standard input at once', async () => {
    const interrupt = new AbortController();
    const stdin = new Readable({ read: () => undefined });
    setTimeout(() => interrupt.abort(new Error('SIGINT')), 20);
    const startMs = performance.now();
    const argv = ['join', '--code-file', '-'];
    const { code } = await run(argv, { stdin, signal: interrupt.signal });
    expect(code).toBe(130);
    expect(performance.now() - startMs).toBeLessThan(2000);
  });

  it('is how an agent is stopped, which is no failure', async () => {
    const interrupt = new AbortController();
    const backend = fakeBackend({
      runAgent: (_, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve());
        }),
    });
    setTimeout(() => interrupt.abort(new Error('SIGTERM')), 20);
    expect((await run(['agent'], { backend, signal: interrupt.signal })).code).toBe(0);
  });
});

describe('an output that nobody reads', () => {
  function failingStream(code: string, afterWrites: number): Writable {
    let writes = 0;
    return new Writable({
      write: (_chunk, _encoding, done) => {
        writes++;
        done(writes > afterWrites ? Object.assign(new Error(code), { code }) : null);
      },
    });
  }

  it('ends a listing quietly', async () => {
    let listed = 0;
    const session = {
      async *list() {
        for (; listed < 10_000; listed++) {
          yield { path: `/f${listed}` } as never;
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    };
    const { code, err } = await run(['ls', 'latest', '--kit', '-'], {
      backend: withSession(session),
      stdout: failingStream('EPIPE', 3),
    });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(listed).toBeLessThan(100);
  });

  it('fails the command when it is a full disk', async () => {
    const session = { dump: () => stream(Buffer.from('one'), Buffer.from('two')) };
    const { code, err } = await run(['dump', 'latest:/f', '--kit', '-'], {
      backend: withSession(session),
      stdout: failingStream('ENOSPC', 1),
    });
    expect(code).toBe(1);
    expect(err).toContain('cannot write to standard output: ENOSPC');
  });
});

describe('version and completion', () => {
  it('tell the version to people and programs', async () => {
    expect((await run(['version'])).out).toMatch(/^holdfast \d+\.\d+\.\d+ \(node /);
    const [line] = jsonLines((await run(['version', '--json'])).out);
    expect(line).toMatchObject({ message_type: 'version', node_version: process.versions.node });
  });

  it('complete commands and options in bash', async () => {
    const { out } = await run(['completion', 'bash']);
    const complete = (...words: string[]): string[] => {
      const list = ['holdfast', ...words].map((word) => `'${word}'`).join(' ');
      const script = `${out}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length}; _holdfast; echo "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim().split(' ');
    };
    expect(complete('re')).toEqual(['restore', 'repair']);
    expect(complete('peer', 'p')).toEqual(['ping']);
    expect(complete('-s', '/x', 'restore', 'latest', '--over')).toEqual(['--overwrite']);
    expect(complete('restore', 'ru')).toEqual(['run']);
    expect(complete('coordinator', 'decree', 's')).toEqual(['sign', 'status']);
  });

  it('name every command for zsh and fish', async () => {
    for (const shell of ['zsh', 'fish']) {
      const { code, out } = await run(['completion', shell]);
      expect(code).toBe(0);
      for (const path of everyCommand) expect(out).toContain(path.at(-1));
    }
  });

  it('offer for fish what a command takes beside its subcommands', async () => {
    const { out } = await run(['completion', 'fish']);
    const lines = out.split('\n');
    const ofRestore = lines.filter((line) => line.includes(`from restore; and not `));
    expect(ofRestore.some((line) => line.includes(' -a run '))).toBe(true);
    expect(ofRestore.some((line) => line.includes(' -l overwrite '))).toBe(true);
    const deep = 'from coordinator; and __fish_seen_subcommand_from decree; and __fish_seen';
    expect(lines.some((line) => line.includes(deep) && line.includes(' -l voters '))).toBe(true);
  });
});
