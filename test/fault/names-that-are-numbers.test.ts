// F14, CVE-2026-21717: many names that are numbers fall into few places of a table of V8, and reading them takes the square of
// their count. Queries, cookies, forms and header names of that kind are read as quickly as ordinary ones.
import t from 'tap'
import { startApp } from '../behaviour/app.ts'
import { json } from '../fixture/upstream-answers.ts'

const { gateway } = await startApp(t, () => json({}), {
  kind: 'orthanc',
  accounts: { alice: { password: 'alice-password', groups: ['radiology'] } },
  listener: 'limits: { headerSize: 64 KB }',
  yaml: `routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /closed, upstream: app, access: [{ groups: [radiology], may: read }] }`,
})

const count = 1_500
/** Array indices that differ in their upper bits alone: the hash of V8 holds the lower 24 of a number. */
const numbers = Array.from({ length: count }, (_, at) => String(1 + at * 2 ** 11))
const words = numbers.map((_, at) => `name${String(at).padStart(4, 'x')}`)

type Ask = (names: readonly string[]) => Promise<number>

const form = (names: readonly string[]) =>
  names
    .slice(0, 700)
    .map(name => `${name}=1`)
    .join('&')
const kinds: Readonly<Record<string, Ask>> = {
  query: async names => (await gateway.ask(`/x?${names.map(name => `${name}=1`).join('&')}`)).status,
  'query of a study': async names =>
    (await gateway.ask(`/closed/studies?${names.map(name => `${name}=1`).join('&')}`)).status,
  cookies: async names =>
    (await gateway.ask('/closed/x', { cookie: names.map(name => `${name}=1`).join('; ') })).status,
  form: async names =>
    (
      await gateway.ask('/-/login', {
        method: 'POST',
        body: form(names),
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
      })
    ).status,
}

/** Milliseconds, the fastest of five. */
async function fastest(ask: Ask, names: readonly string[]): Promise<{ took: number; status: number }> {
  let [took, status] = [Number.POSITIVE_INFINITY, 0]
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    status = await ask(names)
    took = Math.min(took, performance.now() - start)
  }
  return { took, status }
}

for (const [title, ask] of Object.entries(kinds)) {
  t.test(`a ${title} of ${count} numbers`, async t => {
    const ordinary = await fastest(ask, words)
    const numeric = await fastest(ask, numbers)
    t.equal(numeric.status, ordinary.status, 'is answered like any other')
    t.not(numeric.status, 431, 'and is read at all')
    t.ok(
      numeric.took < 10 * Math.max(5, ordinary.took),
      `${numeric.took.toFixed(1)} ms, words ${ordinary.took.toFixed(1)} ms`,
    )
  })
}
