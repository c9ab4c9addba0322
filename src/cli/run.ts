import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, CommanderError } from 'commander';
import { HoldfastError } from '../core/errors.ts';
import type { Register, Traits } from './action.ts';
import { reportFailure } from './errors.ts';
import { Output } from './output.ts';
import { createProgram, type GlobalOptions } from './program.ts';
import { shellWord } from './shell-word.ts';
import type { CliContext, World } from './world.ts';

// What is cancelled gets this long to let go; an agent that hangs must not hold the terminal.
const interruptGraceMs = 5000;

type Chosen = { command: Command; run: (context: CliContext) => Promise<void>; traits: Traits };
type Parsed = { chosen?: Chosen; helpOut: string; helpErr: string; failure?: HoldfastError };

/** One run of the command line. `argv` has neither the interpreter nor the script. Returns the exit code. */
export async function runCli(argv: readonly string[], world: World): Promise<number> {
  const parsed = parse(argv, world);
  const options = parsed.chosen?.command.optsWithGlobals<GlobalOptions>();
  const output = outputOf(world, options ?? guessedOptions(argv));
  let exitCode = 0;
  try {
    if (parsed.helpOut !== '') await output.print(parsed.helpOut.trimEnd());
    if (parsed.helpErr !== '') await output.complain(parsed.helpErr.trimEnd());
    if (parsed.failure !== undefined) throw parsed.failure;
    if (parsed.chosen !== undefined && options !== undefined) {
      await runUntilInterrupted(parsed.chosen, contextOf(argv, { world, output, options }));
    }
    await output.flush();
  } catch (error) {
    exitCode = await reportFailure(error, output, {
      isVerbose: options?.verbose === true,
      stateFlag: stateFlagOf(world, options ?? {}),
    });
    await output.flush().catch(() => undefined);
  }
  return exitCode;
}

/** `--role -source` takes a role; the option parser would read the second word as options of its own. */
function withRoles(argv: readonly string[]): string[] {
  return argv.flatMap((word, i) => {
    if (argv[i - 1] === '--role' && word.startsWith('-')) return [];
    const next = argv[i + 1] ?? '';
    return word === '--role' && next.startsWith('-') ? [`--role=${next}`] : [word];
  });
}

function parse(argv: readonly string[], world: World): Parsed {
  const parsed: Parsed = { helpOut: '', helpErr: '' };
  const register: Register = (command, handler, traits = {}) => {
    command.action(() => {
      const call = { args: command.args, options: command.optsWithGlobals() as never };
      parsed.chosen = { command, run: (context) => handler(context, call), traits };
    });
  };
  const program = createProgram(register, {
    out: (text) => {
      parsed.helpOut += text;
    },
    err: (text) => {
      parsed.helpErr += text;
    },
    columns: world.columns?.() ?? 80,
  });
  try {
    program.parse(withRoles(argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help was asked for (exit 0), or shown since a command was missing, or the line was wrong.
    if (error.exitCode !== 0) parsed.failure = usageError(program, argv, error);
  }
  return parsed;
}

function usageError(
  program: Command,
  argv: readonly string[],
  error: CommanderError,
): HoldfastError {
  const { command, names, rest } = deepestCommand(program, argv);
  const mayHideFlag = ['commander.help', 'commander.missingMandatoryOptionValue'];
  const unknown = mayHideFlag.includes(error.code)
    ? unknownFlag(program, command, rest)
    : undefined;
  const message =
    unknown !== undefined
      ? `unknown option '${unknown}'`
      : error.code === 'commander.help'
        ? 'name a command'
        : error.message.replace(/^error: /, '').replace(/\n\(Did/, ' (did');
  return new HoldfastError('usage', message, {
    next: ['holdfast', ...names, '--help'].join(' '),
  });
}

function deepestCommand(
  program: Command,
  argv: readonly string[],
): { command: Command; names: string[]; rest: readonly string[] } {
  let command = program;
  const names: string[] = [];
  for (const word of argv) {
    const sub = command.commands.find((one) => one.name() === word);
    if (sub === undefined) break;
    command = sub;
    names.push(word);
  }
  return { command, names, rest: argv.slice(names.length) };
}

/** A mistyped flag explains why the right one is missing, which is what the parser reports first. */
function unknownFlag(
  program: Command,
  command: Command,
  rest: readonly string[],
): string | undefined {
  const { unknown } = program.parseOptions(command.parseOptions([...rest]).unknown);
  return unknown.find((word) => word.startsWith('-'));
}

/** How to speak about a command line that was not understood. */
function guessedOptions(argv: readonly string[]): GlobalOptions {
  const end = argv.indexOf('--');
  const flags = end === -1 ? argv : argv.slice(0, end);
  return {
    ...(flags.includes('--json') && { json: true }),
    color: !flags.includes('--no-color'),
  };
}

function outputOf(world: World, options: GlobalOptions): Output {
  // https://no-color.org: present and not empty.
  const refusesColor = (world.env.NO_COLOR ?? '') !== '' || world.env.TERM === 'dumb';
  return new Output({
    stdout: world.stdout,
    stderr: world.stderr,
    isTty: world.isTty,
    isColored: world.isTty && options.color && !refusesColor,
    isJson: options.json === true,
    isQuiet: options.quiet === true,
    columns: world.columns ?? (() => 80),
  });
}

function contextOf(
  argv: readonly string[],
  { world, output, options }: { world: World; output: Output; options: GlobalOptions },
): CliContext {
  const cwd = world.cwd ?? process.cwd();
  const configFile = options.config ?? world.env.HOLDFAST_CONFIG;
  const stateDir = resolve(cwd, options.state ?? world.env.HOLDFAST_STATE_DIR ?? ownState(world));
  return {
    backend: world.backend,
    output,
    stdin: world.stdin,
    env: world.env,
    signal: world.signal ?? new AbortController().signal,
    nowMs: world.nowMs ?? (() => performance.timeOrigin + performance.now()),
    cwd,
    argv,
    stateDir,
    configFile: configFile === undefined ? undefined : resolve(cwd, configFile),
    stateFlag: stateFlagOf(world, options),
    isVerbose: options.verbose === true,
  };
}

/** Absolute: what is suggested may be typed elsewhere. */
function stateFlagOf(world: World, { state }: Pick<GlobalOptions, 'state'>): string {
  if (state === undefined) return '';
  return ` -s ${shellWord(resolve(world.cwd ?? process.cwd(), state))}`;
}

/** Of a system service for root, else under the user's home (XDG Base Directory Specification). */
function ownState(world: World): string {
  if ((world.uid ?? process.getuid?.()) === 0) return '/var/lib/holdfast';
  const home = world.env.HOME ?? homedir();
  return join(world.env.XDG_STATE_HOME ?? join(home, '.local', 'state'), 'holdfast');
}

async function runUntilInterrupted({ run, traits }: Chosen, context: CliContext): Promise<void> {
  const { signal } = context;
  const work = run(context);
  if (traits.stopsInOrder === true) return work;
  const tooLate = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => tooLate.reject(signal.reason), interruptGraceMs);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([work, tooLate.promise]);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new HoldfastError('interrupted', 'interrupted', { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
