// H01 to H10 and H12 to H17, and what chance makes of them: of each request that goes in at most one comes out, with the
// method, the path and the body that were judged. The same bytes go to http-proxy, which is known to fail
// (CVE-2026-29057), and to nginx: a failure would be seen. A hundred thousand and more requests: test/long.
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { type Corpus, fuzz, startWitness, type Tally, tableOf } from './differential/fuzz.ts'
import { startHttpProxy, startNginx, startSallyport } from './differential/gates.ts'
import { knownCount } from './differential/http1-connection.ts'

const seed = 20_261_128
const tallies: Tally[] = []

t.test('of each request that goes in at most one comes out, and it is the one that was judged', async t => {
  const corpus: Corpus = { seed, http1: 350, http2: 60 }
  const witness = await startWitness(t)
  const tally = await fuzz(await startSallyport(t, witness.upstream), witness, [corpus])
  tallies.push(tally)
  t.same(tally.examples, [])
  t.ok(tally.arrived > 150, `${tally.arrived} of ${tally.requests} arrived: what is well said does`)
})

t.test('http-proxy lets bodies become requests, and is seen to', async t => {
  const witness = await startWitness(t)
  const tally = await fuzz(await startHttpProxy(t, witness.upstream), witness, [{ seed, http1: knownCount, http2: 0 }])
  tallies.push(tally)
  t.ok(tally.counts.smuggled > 0, 'the body of a chunked DELETE, by name')
  t.ok(tally.counts.unauthorised > 0 && tally.counts.altered > 0 && tally.counts.behind > 0)
})

t.test('nginx repairs what it cannot read, and lets nothing become a request', async t => {
  if (!requireReal(t, ['nginx'])) return
  const witness = await startWitness(t)
  const tally = await fuzz(await startNginx(t, witness.upstream), witness, [{ seed, http1: knownCount, http2: 20 }])
  tallies.push(tally)
  t.equal(tally.counts.smuggled, 0)
  t.ok(tally.counts.unreadable > 0, 'bare LF, by name')
})

t.test('the counts', async () => console.error(tableOf(tallies)))
