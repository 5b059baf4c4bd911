/**
 * The honest clients, as a process: asks for something small again and again, and reports how long it took.
 *
 * As browsers do it, a request that meets a kept connection just as it is closed is made once more.
 */
import { once } from 'node:events'
import { Agent, request } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import type { ClientsOrder, ClientsReport, Latency } from './orders.ts'

/** Clients that keep their connection, those that do not, and milliseconds between two requests of each. */
const kept = 4
const fresh = 2
const between = 20

async function ask({ port, caPem }: ClientsOrder, agent: Agent | false): Promise<void> {
  const sent = request({
    // Tools that attack come from 127.0.0.1.
    ...{
      host: '127.0.0.1',
      localAddress: '127.0.0.2',
      port,
      servername: 'localhost',
      ca: caPem,
      path: '/small',
      agent,
    },
    headers: { host: `localhost:${port}` },
    timeout: 10_000,
  })
  sent.once('timeout', () => sent.destroy(new Error('no answer within ten seconds')))
  sent.end()
  try {
    const [answer] = await once(sent, 'response')
    for await (const _ of answer);
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`)
  } catch (cause) {
    if (sent.reusedSocket && cause instanceof Error && 'code' in cause && cause.code === 'ECONNRESET')
      return await ask({ port, caPem, milliseconds: 0 }, agent)
    throw cause
  }
}

async function measure(order: ClientsOrder): Promise<ClientsReport> {
  const until = performance.now() + order.milliseconds
  const run = async (clients: number, agents: boolean): Promise<Latency> => {
    const took: number[] = []
    const failures: string[] = []
    const one = async () => {
      const agent = agents ? new Agent({ keepAlive: true, maxSockets: 1 }) : false
      while (performance.now() < until) {
        const start = performance.now()
        await ask(order, agent).catch((cause: Error) => failures.push(cause.message))
        took.push(performance.now() - start)
        await pause(between)
      }
      if (agent !== false) agent.destroy()
    }
    await Promise.all(Array.from({ length: clients }, one))
    const sorted = took.toSorted((a, b) => a - b)
    const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
    return { count: sorted.length, median: at(0.5), p99: at(0.99), failures: failures.slice(0, 5) }
  }
  const [onKept, onFresh] = await Promise.all([run(kept, true), run(fresh, false)])
  return { kept: onKept, fresh: onFresh }
}

process.on('message', async order => process.send?.(await measure(order as ClientsOrder))) // the only kind of message
// Whoever started us is gone.
process.once('disconnect', () => process.exit())
