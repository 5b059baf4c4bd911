/**
 * Puts a question to the servers of a directory in their order, until one answers.
 *
 * A server left aside is passed over while another is up. With all of them aside one that failed fewer than three times in
 * a row is tried all the same, as it may have been a hiccup; else the Fault comes at once instead of after a timeout.
 *
 * Not to forget: wrong settings at one server are no reason not to try the next, and are what is reported if none answers.
 */
import { Fault } from '../kernel/fault.ts'
import type { Breaker } from './breaker.ts'

export interface Failing {
  /** For people. */
  readonly url: string
  readonly breaker: Breaker
}

/** Failures in a row after which a server is no longer tried while it is aside. */
const hiccups = 3

/** Thrown by `work`: the server was asked, so nobody else is, whatever came of it. */
export class Final extends Error {
  readonly fault: Fault

  constructor(fault: Fault) {
    super(fault.message, { cause: fault })
    this.fault = fault
  }
}

/** Only these speak of the server; others (overloaded, a bug) speak of us. */
export const isOfServer = (thrown: unknown): thrown is Fault =>
  thrown instanceof Fault && (thrown.code === 'directory-unavailable' || thrown.code === 'directory-misconfigured')

/** @param servers  at least one */
export async function askInOrder<S extends Failing, T>(
  servers: readonly S[],
  work: (server: S) => Promise<T>,
): Promise<T> {
  const failed = new Map<S, Fault>()
  for (let server = nextOf(servers, failed); server !== undefined; server = nextOf(servers, failed)) {
    const attempt = server.breaker.begin()
    try {
      const answer = await work(server)
      attempt.succeeded()
      return answer
    } catch (cause) {
      if (cause instanceof Final) {
        // Settings that are wrong for this question are an answer; the server itself is well.
        if (cause.fault.code === 'directory-misconfigured') attempt.succeeded()
        else attempt.failed(cause.fault)
        throw cause.fault
      }
      if (!isOfServer(cause)) throw cause
      attempt.failed(cause)
      failed.set(server, cause)
    } finally {
      attempt.end()
    }
  }
  throw verdict(servers, failed)
}

function nextOf<S extends Failing>(servers: readonly S[], failed: ReadonlyMap<S, Fault>): S | undefined {
  const untried = servers.filter(server => !failed.has(server))
  return (
    untried.find(({ breaker }) => breaker.standing !== 'aside') ??
    untried.find(({ breaker }) => breaker.failures < hiccups)
  )
}

/** What is told when none answers: of each server what it failed in, now or when it was last tried. */
function verdict(servers: readonly Failing[], failed: ReadonlyMap<Failing, Fault>): Fault {
  const seen = servers.map(server => {
    const { url, breaker } = server
    const now = failed.get(server)
    const aside = `left aside for ${(breaker.pause / 1000).toFixed(1)} s`
    const fault = now ?? breaker.last
    return { fault, text: `${url}: ${now === undefined ? `${aside}, ` : ''}${fault?.message ?? 'not tried'}` }
  })
  const faults = seen.flatMap(({ fault }) => fault ?? [])
  const cause = faults.find(fault => fault.code === 'directory-misconfigured') ?? faults.at(-1)
  const [only] = failed.values()
  if (servers.length === 1 && only !== undefined) return only
  return new Fault(cause?.code ?? 'directory-unavailable', { cause, about: seen.map(({ text }) => text).join('; ') })
}
