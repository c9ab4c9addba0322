import type { ControlChecker, ControlSeen } from '../observation.ts';

/** Begins the reason of every command that lacks a signature or has a wrong one. */
export const rogueReason = 'rogue';

/** What was not signed as it must be changes nothing. */
export class Authorized implements ControlChecker {
  readonly name = 'authorized';

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind === 'state') {
      const all = seen.control.state.incarnations.isolations.all();
      const rogue = all.find(({ reason }) => reason.startsWith(rogueReason));
      return rogue && `a host is isolated by a word that is ${rogue.reason}`;
    }
    if (seen.kind !== 'applied' || seen.command.outcome.outcome !== 'applied') return undefined;
    const { body } = seen.command;
    const isRogue = body.kind === 'isolate' && body.reason.startsWith(rogueReason);
    return isRogue ? `a command counts that is ${body.reason}` : undefined;
  }
}
