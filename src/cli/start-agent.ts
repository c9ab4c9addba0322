import { message } from './json-fields.ts';
import type { CliContext } from './world.ts';

/** Starts the agent in the background, and says so. */
export async function startAgent(context: CliContext): Promise<void> {
  const { backend, output, configFile, stateDir } = context;
  const { pid } = await backend.startAgent({
    stateDir,
    ...(configFile !== undefined && { configFile }),
  });
  if (output.isJson) await output.json(message('agent', { pid }));
  else await output.print(`The agent runs (process ${pid}).`);
}
