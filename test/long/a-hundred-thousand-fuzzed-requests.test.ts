// What attack/a-fuzzed-request-is-one-or-none shows, with a hundred thousand requests and several seeds, beside http-proxy
// and nginx. FUZZ_SEED=7 goes on from another seed.
import t from 'tap'
import { fuzz, startWitness, type Tally, tableOf } from '../attack/differential/fuzz.ts'
import { startHttpProxy, startNginx, startSallyport } from '../attack/differential/gates.ts'
import { requireReal } from '../fixture/real.ts'

t.setTimeout(1_800_000)

const first = Number(process.env['FUZZ_SEED'] ?? 1)
const corpora = (seeds: number) =>
  Array.from({ length: seeds }, (_, at) => ({ seed: first + at, http1: 8_000, http2: 800 }))
const tallies: Tally[] = []

t.test('none of a hundred thousand requests becomes two, or another one', async t => {
  t.setTimeout(1_800_000)
  const witness = await startWitness(t)
  const tally = await fuzz(await startSallyport(t, witness.upstream), witness, corpora(6))
  tallies.push(tally)
  t.same(tally.examples, [])
  t.ok(tally.requests > 100_000, `${tally.requests} requests were sent`)
})

t.test('the same bytes for http-proxy, as far as it gets: it crashes at every seventieth connection', async t => {
  t.setTimeout(1_800_000)
  const witness = await startWitness(t)
  const gate = await startHttpProxy(t, witness.upstream)
  const tally = await fuzz(gate, witness, [{ seed: first, http1: 3_000, http2: 0 }])
  tallies.push(tally)
  console.error(tally.examples.join('\n'))
  t.ok(tally.counts.smuggled > 0, 'bodies become requests')
})

t.test('the same bytes for nginx', async t => {
  t.setTimeout(1_800_000)
  if (!requireReal(t, ['nginx'])) return
  const witness = await startWitness(t)
  const tally = await fuzz(await startNginx(t, witness.upstream), witness, corpora(6))
  tallies.push(tally)
  console.error(tally.examples.join('\n'))
  t.ok(tally.counts.unreadable > 0, 'it repairs what cannot be read')
})

t.test('the counts', async () => console.error(tableOf(tallies)))
