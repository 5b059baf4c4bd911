// Questions between two processes: each gets its own answer, and nobody waits for one that does not come.
import t from 'tap'
import { openChannel, type Port } from '../../src/workers/channel.ts'

type Double = {
  double: [said: number, answer: number]
  never: [said: null, answer: null]
  fail: [said: null, answer: null]
}
type Nothing = Record<never, [never, never]>

function pair() {
  const listeners: { here?: (message: unknown) => void; there?: (message: unknown) => void } = {}
  let isCut = false
  const port = (own: 'here' | 'there'): Port => ({
    send(message, failed) {
      if (isCut) return void setImmediate(failed)
      setImmediate(() => listeners[own === 'here' ? 'there' : 'here']?.(message))
    },
    on(listener) {
      listeners[own] = listener
    },
  })
  openChannel<Nothing, Double>(port('there'), {
    double: async said => said * 2,
    never: () => new Promise(() => undefined),
    fail: async () => {
      throw new Error('it broke')
    },
  })
  const cut = () => {
    isCut = true
  }
  return { channel: openChannel<Double, Nothing>(port('here'), {}), cut }
}

t.test('each question gets its own answer', async t => {
  const { channel } = pair()
  t.same(await Promise.all([1, 2, 3].map(said => channel.ask('double', said))), [2, 4, 6])
  await t.rejects(channel.ask('fail', null), { message: 'it broke' })
})

t.test('one that does not come in time, or not at all, is not waited for', async t => {
  const { channel, cut } = pair()
  await t.rejects(channel.ask('never', null, 20), { message: 'no answer within 20 ms' })
  const waiting = channel.ask('never', null)
  channel.close()
  await t.rejects(waiting, { message: 'the other process has ended' })
  await t.rejects(channel.ask('double', 1), { message: 'the other process has ended' })
  const other = pair()
  other.cut()
  await t.rejects(other.channel.ask('double', 1), { message: 'the other process cannot be reached' })
  cut()
})
