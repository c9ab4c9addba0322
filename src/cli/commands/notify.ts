import type { Command } from 'commander';
import type { ChannelTest } from '../../agent/alert-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

/** notify status, notify test. */
export function addNotify(program: Command, register: Register): void {
  const notify = program
    .command('notify')
    .description('See how people hear of alarms of this host, and try it.');
  register(
    notify.command('status').description('Show each way, and what still waits to be sent.'),
    status,
  );
  register(
    notify.command('test').description('Send a test by each way, and say what came of it.'),
    test,
  );
}

async function status({ backend, stateDir, output }: CliContext): Promise<void> {
  const channels = await backend.control(stateDir).channels();
  if (channels.length === 0) throw nobody();
  if (output.isJson) {
    for (const channel of channels) await output.json(message('channel', channel));
    return;
  }
  await output.table(
    [
      { title: 'WAY' },
      { title: 'TO' },
      { title: 'SENT', align: 'right' },
      { title: 'WAITING', align: 'right' },
      { title: 'GIVEN UP', align: 'right' },
      { title: 'PROBLEM' },
    ],
    channels.map(({ channel, target, sent, waiting, givenUp, problem }) => [
      ...[clean(channel), clean(target), String(sent), String(waiting), String(givenUp)],
      clean(problem ?? '-'),
    ]),
  );
}

async function test({ backend, stateDir, output }: CliContext): Promise<void> {
  const tests = await backend.control(stateDir).testChannels();
  if (tests.length === 0) throw nobody();
  for (const one of tests) {
    if (output.isJson) await output.json(message('channel_test', one));
    else await output.print(words(one));
  }
  const failed = tests.filter(({ isSent }) => !isSent).map(({ channel }) => channel);
  if (failed.length === 0) return;
  throw new HoldfastError('failed', `nobody was told by: ${failed.join(', ')}`, {
    next: 'mend it, or edit "alerts" in the configuration and start the agent again; then: holdfast notify test',
  });
}

function words({ channel, target, isSent, problem }: ChannelTest): string {
  const end = isSent ? 'sent' : `NOT sent: ${clean(problem ?? '')}`;
  return `${clean(channel)} (${clean(target)}): ${end}`;
}

function nobody(): HoldfastError {
  return new HoldfastError(
    'config-invalid',
    'nobody is told: no program, webhook or mail is configured',
    {
      next: 'edit "alerts" in the configuration (holdfast config show), start the agent again, then: holdfast notify test',
    },
  );
}
