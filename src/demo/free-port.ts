/**
 * Finds ports for programs that cannot say themselves which free one they took.
 *
 * It is a guess by nature: between looking and binding someone else may come. So whoever uses it goes through
 * `onFreePorts`, which tries again when that was the cause. Servers of our own bind port 0 and need none of this.
 */
import { createServer, type Server } from 'node:net'
import { ProgramFailure } from './program.ts'

/** `count` ports, all different, that were free on `host` a moment ago. */
export async function freePorts(count: number, host: string): Promise<number[]> {
  // All are held open until the last is found, or the system might give the same one twice.
  const held = await Promise.all(Array.from({ length: count }, () => hold(host)))
  const ports = held.map(server => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
    return address.port
  })
  await Promise.all(held.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

/** Runs `start` with free ports; with others, at most three times, if the program says that its port was taken. */
export async function onFreePorts<T>(
  count: number,
  host: string,
  start: (ports: readonly number[]) => Promise<T>,
): Promise<T> {
  for (let left = 2; ; left--) {
    try {
      return await start(await freePorts(count, host))
    } catch (fault) {
      if (left === 0 || !(fault instanceof ProgramFailure) || !/\bin use\b/i.test(fault.log)) throw fault
    }
  }
}

const hold = (host: string): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ port: 0, host, exclusive: true }, () => resolve(server))
  })
