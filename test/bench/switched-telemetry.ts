/**
 * `node --import` this file: sallyport whose access line, and the metrics that go with it, are off for every other half second, to
 * measure what they cost within one process. Two processes differ by more than that, for as long as they live.
 *
 * What was begun before a switch is finished behind it: a few hundredths of the difference.
 *
 * What a phase cost goes to the file that `?out=` names, one JSON object a line.
 */
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

export interface Phase {
  readonly isOn: boolean
  readonly exchanges: number
  /** Microseconds, of all threads. */
  readonly cpu: number
}

/** Milliseconds. */
const phase = 500
const place = '/src/audit/access-log.ts'
const out = new URL(import.meta.url).searchParams.get('out')
if (out === null) throw new Error('?out= names no file')

export const switched = { isOn: true, exchanges: 0 }

const around = (url: string) => `
import { createAccessLog as create } from ${JSON.stringify(`${url}?itself`)}
import { switched } from ${JSON.stringify(import.meta.url)}
export * from ${JSON.stringify(`${url}?itself`)}
export const createAccessLog = (...given) => {
  const itself = create(...given)
  const open = exchange => {
    switched.exchanges++
    if (switched.isOn) itself.open(exchange)
  }
  return { open, factsOf: itself.factsOf }
}`
registerHooks({
  load: (url, context, next) =>
    url.endsWith(place) ? { format: 'module', source: around(url), shortCircuit: true } : next(url, context),
})

let before = process.cpuUsage()
let isSecond = false
setInterval(() => {
  const { user, system } = process.cpuUsage(before)
  const { isOn, exchanges } = switched
  appendFileSync(out, `${JSON.stringify({ isOn, exchanges, cpu: user + system } satisfies Phase)}\n`)
  // Which of two is first is drawn: what comes once a second must not fall on the same ones always.
  switched.isOn = isSecond ? Math.random() < 0.5 : !isOn
  isSecond = !isSecond
  switched.exchanges = 0
  before = process.cpuUsage()
}, phase).unref()
