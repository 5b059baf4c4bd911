/**
 * A connection on its way to a worker that ends before it has taken it: closed, so that its client learns of it.
 *
 * The primary accepts and hands on (node:cluster, in turns). Node 24 forgets what was handed to a worker that is killed
 * at that very moment, and the client waits for ever. What goes over the channel for it is Node's own and not documented:
 * should that change, nothing is closed here and everything else is as before; a test sees it.
 *
 * Source: lib/internal/cluster/round_robin_handle.js and utils.js of Node 24 (act `newconn`, seq, ack).
 */
import type { ChildProcess } from 'node:child_process'

interface HandedOver {
  close(): void
}

const isClosable = (handle: unknown): handle is HandedOver =>
  typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function'

/** The number under which a message of cluster is answered. */
const numberIn = (message: unknown, key: 'seq' | 'ack'): number | undefined => {
  const found: unknown = typeof message === 'object' && message !== null ? Reflect.get(message, key) : undefined
  return typeof found === 'number' ? found : undefined
}

export function closeUntaken(child: ChildProcess): void {
  const untaken = new Map<number, HandedOver>()
  const send: (...all: unknown[]) => boolean = child.send.bind(child) as never // passed on as it came
  child.send = (...all: unknown[]) => {
    const [message, handle] = all
    const seq = numberIn(message, 'seq')
    if (seq !== undefined && isClosable(handle)) untaken.set(seq, handle)
    return send(...all)
  }
  child.on('internalMessage', (message: unknown) => {
    const ack = numberIn(message, 'ack')
    if (ack !== undefined) untaken.delete(ack)
  })
  // Not 'disconnect': that waits for the answer that does not come. What it has answered is read until the next turn.
  child.once('exit', () =>
    setImmediate(() => {
      for (const handle of untaken.values()) handle.close()
      untaken.clear()
    }),
  )
}
