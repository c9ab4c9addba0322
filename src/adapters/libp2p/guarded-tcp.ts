import { Server } from 'node:net';
import type { Listener } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { assert } from '../../base/assert.ts';
import type { BulkDoor } from './bulk-door.ts';

/** libp2p's TCP, with a door before each server that it listens with. */
export function guardedTcp(door: Pick<BulkDoor, 'guard'>): ReturnType<typeof tcp> {
  const make = tcp();
  return (components) => {
    const transport = make(components);
    const createListener = transport.createListener.bind(transport);
    transport.createListener = (options) => {
      const listener: Listener & { server?: unknown } = createListener(options);
      // Not in its type; without it there would have to be a second port.
      assert(listener.server instanceof Server, 'a TCP listener has a server');
      door.guard(listener.server);
      return listener;
    };
    return transport;
  };
}
