/**
 * What a stream leaves behind: one line for each decision, and no way to fill the trail with them.
 */
import t from 'tap'
import type { StreamEvent } from '../../src/audit/event.ts'
import { createNoteworthy } from '../../src/audit/noteworthy.ts'
import { createStreamRecorder } from '../../src/audit/recorder.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

function start() {
  let now = 0
  const written: StreamEvent[] = []
  const metrics = createMetrics()
  const record = createStreamRecorder({
    audit: {
      async record(_id, event) {
        written.push(event as StreamEvent) // nothing else is recorded here
        return true
      },
    },
    noteworthy: createNoteworthy(() => now),
    metrics,
    onFailure: 'refuse',
  })
  return {
    written,
    metrics,
    record: (event: StreamEvent) => record('id', event),
    pass: (milliseconds: number) => {
      now += milliseconds
    },
  }
}

const who = { name: 'ct', realm: 'certificate', proof: 'certificate' }
const place = { address: '192.0.2.1', stream: 'dicom' }

t.test('each connection of somebody is told', async t => {
  const { written, record } = start()
  for (let count = 0; count < 300; count++) await record({ kind: 'stream', who, ...place, calling: 'CT1' })
  t.equal(written.length, 300)
})

t.test('connections of nobody are told up to a hundred in a minute, and what was left out is counted', async t => {
  const { written, record, pass } = start()
  for (let count = 0; count < 150; count++) await record({ kind: 'stream', ...place })
  t.equal(written.length, 100)
  await record({ kind: 'stream', ...place, address: '192.0.2.2' })
  t.equal(written.length, 101, 'others are not made to pay')
  pass(60_000)
  await record({ kind: 'stream', ...place })
  t.match(written.at(-1), { kind: 'stream', leftOut: 50 })
})

t.test('the same denial is told once a minute, another title or stream at once; all are counted', async t => {
  const { written, metrics, record, pass } = start()
  const denial: StreamEvent = { kind: 'stream-denial', reason: 'title-not-allowed', who, ...place, calling: 'MR1' }
  await record(denial)
  await record(denial)
  t.equal(written.length, 1)
  await record({ ...denial, calling: 'MR2' })
  await record({ ...denial, stream: 'other' })
  await record({ ...denial, reason: 'not-a-member' })
  t.equal(written.length, 4)
  pass(60_000)
  await record(denial)
  t.equal(written.length, 5)
  t.match((await metrics.denials.get()).values, [
    { labels: { reason: 'title-not-allowed' }, value: 5 },
    { labels: { reason: 'not-a-member' }, value: 1 },
  ])
})

t.test('denials of one address do not fill the trail, whatever titles it makes up', async t => {
  const { written, record, pass } = start()
  for (let count = 0; count < 150; count++)
    await record({ kind: 'stream-denial', reason: 'no-identity', ...place, calling: `T${count}` })
  t.equal(written.length, 100)
  pass(60_000)
  await record({ kind: 'stream-denial', reason: 'no-identity', ...place, calling: 'T' })
  t.match(written.at(-1), { leftOut: 50 })
})
