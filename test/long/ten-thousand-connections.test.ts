// Thousands of connections that misbehave, each in one way: the clients beside them are served as before, what the gateway
// holds is bounded, and when they have gone it has its descriptors and its memory back.
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Attack, ClientsReport } from './siege/orders.ts'
import { holdsWithin, type Siege, startSiege } from './siege/siege.ts'

interface Row {
  readonly attack: Attack
  readonly count: number
  readonly addresses: number
  /** Connections opened in a second; and instead of those that were closed. */
  readonly pace: number
  readonly again: number
  /** Connections that the gateway holds at most, with a handshake and without. */
  readonly held: number
}

const connections = 10_000
const handshakes = connections / 4
/** What the gateway has open itself: upstream, clients, files. */
const own = 150
const slow = { pace: 300, again: 50 }
/** Without a handshake they cost little. */
const quick = { pace: 800, again: 100 }

// The two largest come first: a process that has never been full grows to its size.
const rows: readonly Row[] = [
  { attack: 'idle', count: connections, addresses: 200, ...slow, held: connections },
  { attack: 'half-handshake', count: connections, addresses: connections, ...slow, held: handshakes },
  { attack: 'silent', count: connections, addresses: 1, ...quick, held: handshakes / 2 },
  { attack: 'silent', count: connections, addresses: 1_000, ...quick, held: handshakes },
  { attack: 'slow-head', count: 5_200, addresses: 1, ...slow, held: connections / 2 },
  // Who has closed its half and was answered is hung up on.
  { attack: 'half-closed', count: 2_000, addresses: 1, ...slow, held: 0 },
  // No more may wait for an upstream.
  { attack: 'slow-body', count: 1_000, addresses: 1, ...slow, held: 1_000 },
  { attack: 'zero-window', count: 500, addresses: 1, ...slow, held: 500 },
  { attack: 'slow-reader', count: 500, addresses: 1, ...slow, held: 500 },
]
const warmUps = 2
/** Megabytes that buffers of slow readers and bodies may take, altogether. */
const buffers = 150

const kinds = ['kept', 'fresh'] as const

/** Twice the time that it takes where nobody attacks, and a little for the clock. */
const isServedWell = (during: ClientsReport, calm: readonly ClientsReport[]) =>
  kinds.every(kind => during[kind].p99 <= 2 * Math.max(...calm.map(report => report[kind].p99)) + 5)

/** Looks until they are served well, four times at most: what the machine does besides only makes it worse. */
async function servedWell(t: Test, siege: Siege, beside: Siege, before: ClientsReport): Promise<void> {
  const seen: string[] = []
  for (let look = 0; look < 4; look++) {
    const [during, calm] = await Promise.all([siege.measure(6_000), beside.measure(6_000)])
    for (const kind of kinds) {
      const { count, failures } = during[kind]
      t.same(failures, [], `of ${count} requests on ${kind} connections`)
      const times = [before, calm, during].map(report => report[kind].p99.toFixed(0))
      seen.push(`${kind} ${times.join(' / ')}`)
    }
    if (!isServedWell(during, [before, calm])) continue
    t.pass(`before / beside / during: ${seen.join(', ')} ms`)
    return
  }
  t.fail(`before / beside / during: ${seen.join(', ')} ms`)
}

/** A little traffic, in which garbage is found, until memory is as it was or a minute is over. */
const memoryIsBack = (siege: Siege, most: number) =>
  holdsWithin(60_000, async () => {
    await siege.measure(2_000)
    return siege.memory() <= most
  })

t.test('whatever they do', async t => {
  // Handshakes and heads may take long, so that thousands of slow ones come together on a slow machine too.
  const siege = await startSiege(t, { limits: '{ handshake: 90 s, headers: 90 s }' })
  // Nobody attacks this one: what slows both down is the machine.
  const beside = await startSiege(t)
  await siege.measure(3_000)
  const descriptors = siege.descriptors()
  /** The most it has held, garbage included, under the attacks that are the largest. */
  let warm = 0
  for (const [at, { held, ...row }] of rows.entries()) {
    const { attack, count, addresses } = row
    const from = addresses === 1 ? 'one address' : `${addresses} addresses`
    await t.test(`${count} times ${attack}, from ${from}`, async t => {
      const before = await siege.measure(5_000)
      const memory = siege.memory()
      const flood = await siege.flood(row)
      t.ok(await holdsWithin(120_000, () => flood.report().opened >= count), `${flood.report().opened} have come`)
      await pause(1_000)
      const open = siege.descriptors()
      await servedWell(t, siege, beside, before)
      t.ok(open <= held + own, `${open} descriptors, ${held} connections may be held`)
      t.ok(open >= held * 0.8, `${open} descriptors: it is an attack`)
      if (at >= warmUps) t.ok(siege.memory() - memory < buffers, `memory grew from ${memory} to ${siege.memory()} MB`)
      t.ok(await siege.healthy())
      if (at < warmUps) warm = Math.max(warm, siege.memory())
      await flood.stop()
      t.ok(await holdsWithin(30_000, () => siege.descriptors() <= descriptors + 5), `${siege.descriptors()} are open`)
      if (at < warmUps) return
      t.ok(await memoryIsBack(siege, warm * 1.1), `${siege.memory()} MB, ${warm} when it was warm`)
    })
  }
  t.notMatch(siege.log(), /EMFILE|"fault":"bug"/)
})
