/**
 * The address of a name, asked once at a time however many want it.
 *
 * A question holds a thread until the name server answers or is given up, which takes ten seconds by default, and libuv lends
 * two threads for it. Each connection asking for itself, one name with a silent server would keep every other name waiting.
 * Nothing is remembered beyond the answer. Source: docs.libuv.org, threadpool; resolv.conf(5), timeout and attempts.
 */
import { type LookupAddress, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

type Told = Parameters<LookupFunction>[2]

const waiting = new Map<string, Told[]>()

export const sharedLookup: LookupFunction = (name, options, told) => {
  const key = JSON.stringify([name, options])
  const others = waiting.get(key)
  if (others !== undefined) return void others.push(told)
  const all = [told]
  waiting.set(key, all)
  const tell = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => {
    waiting.delete(key)
    for (const one of all) one(error, address, family)
  }
  lookup(name, options, tell)
}
