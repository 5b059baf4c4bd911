/**
 * V8's collector, for the few times when we know better than it when to collect.
 *
 * Source: `node --v8-options` (--expose-gc).
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let known: NodeJS.GCFunction | undefined

/** It is made when it is first asked for, and its context stays. */
export function collector(): NodeJS.GCFunction {
  setFlagsFromString('--expose-gc')
  known ??= runInNewContext('gc') as NodeJS.GCFunction // there since the flag is set
  return known
}
