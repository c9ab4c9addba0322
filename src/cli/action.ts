import type { Command } from 'commander';
import type { CliContext } from './world.ts';

/** Carries a command out. Ends by returning (exit 0) or by a HoldfastError, whose code sets the exit code. */
export type Handler<Options> = (
  context: CliContext,
  call: { args: readonly string[]; options: Options },
) => Promise<void>;

export type Traits = {
  /** Ctrl-C asks the command to stop in order, which is its success. */
  stopsInOrder?: boolean;
};

/** Binds a command's handler; it runs after the whole command line has been understood. */
export type Register = <Options extends object>(
  command: Command,
  handler: Handler<Options>,
  traits?: Traits,
) => void;
