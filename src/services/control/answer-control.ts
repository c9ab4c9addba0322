import { HoldfastError } from '../../core/errors.ts';
import { idField } from '../../core/format/field.ts';
import { decodeRaftMessage } from '../../core/format/raft-message.ts';
import { type AgentKey, idBytes } from '../../core/ids.ts';
import type { Caller, Serve } from '../serve.ts';
import type { ControlLog } from './control-log.ts';

/** Lets other members speak to this host's part of the control log. */
export function answerControl(serve: Pick<Serve, 'register'>, control: ControlLog): void {
  serve.register('raft', async ({ message }, caller) => {
    await control.receive(memberOf(caller), decodeRaftMessage(message));
    return {};
  });
  serve.register('image', async (asked) => control.images.piece(asked));
  serve.register('propose', async ({ envelope, isTransfer, to, hops }, caller) => {
    memberOf(caller);
    if (isTransfer) {
      await control.transfer(to.length === 0 ? undefined : idField<AgentKey>(to, 32, 'agent'));
      return { isAppended: false, readIndex: 0n };
    }
    const known = control.status().leader;
    const leader = known === undefined ? new Uint8Array(0) : idBytes(known);
    if (hops > 0 && known !== control.self) {
      return { ...(await control.passOn(envelope.slice())), leader };
    }
    if (envelope.length > 0) {
      // A view of the request: the log outlives it.
      const isAppended = await control.offerHere(envelope.slice());
      return { isAppended, readIndex: 0n, leader };
    }
    const index = await control.read().catch((error: unknown) => {
      if (error instanceof HoldfastError) return undefined;
      throw error;
    });
    return { isAppended: index !== undefined, readIndex: BigInt(index ?? 0), leader };
  });
}

function memberOf({ member }: Caller): NonNullable<Caller['member']>['agentKey'] {
  if (member !== undefined) return member.agentKey;
  throw new HoldfastError('not-permitted', 'only members take part in the control log');
}
