// The counting of the soak: an outage explains a connection that broke, and never a wrong answer.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { memoryPlot } from './memory-plot.ts'
import { Tally, WrongAnswer } from './tally.ts'

const fails = (error: Error) => () => Promise.reject(error)
const broken = () => new Error('ECONNRESET')

t.test('a broken connection is explained while the process is down, and only then', async t => {
  const tally = new Tally()
  await tally.attempt('reading', async () => undefined)
  await tally.attempt('reading', fails(broken()))
  const outage = tally.outage()
  await tally.attempt('reading', fails(broken()))
  await tally.attempt('reading', fails(new WrongAnswer('other bytes')))
  outage.over()
  await tally.attempt('reading', fails(broken()))
  t.same(tally.rows(), [{ load: 'reading', done: 1, explained: 2, unexplained: 2 }])
  t.match(tally.unexplained, [/^reading, at 0 s: Error: ECONNRESET$/, /WrongAnswer: other bytes$/])
  await pause(1_100)
  await tally.attempt('reading', fails(broken()))
  t.match(tally.rows(), [{ unexplained: 3 }], 'a second later it is no excuse any more')
})

t.test('what takes too long has failed, even in an outage', async t => {
  const tally = new Tally()
  tally.outage()
  await tally.attempt('waiting', () => pause(5_000, undefined, { ref: false }), 20)
  t.match(tally.unexplained, [/no end after 0.02 s/])
})

t.test('the picture shows a line for each life, and every mark', async t => {
  const samples = [
    { at: 0, megabytes: 100, life: 0 },
    { at: 10, megabytes: 150, life: 0 },
    { at: 12, megabytes: 90, life: 1 },
  ]
  const svg = memoryPlot('a < b', samples, [{ at: 11, what: 'kill' }])
  t.equal(svg.match(/<polyline/g)?.length, 2)
  t.equal(svg.match(/stroke="#c0392b"/g)?.length, 1)
  t.match(svg, '>a &lt; b</text>')
  t.match(svg, '>150 MB</text>')
})
