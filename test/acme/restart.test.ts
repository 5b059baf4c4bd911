/**
 * What a restart knows of the orders before it, and that nobody's environment makes the directory trusted.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import type { Step } from './odd-authority.ts'
import { startOddOrdering } from './odd-ordering.ts'
import { until } from './ordering.ts'

const minutes = 60_000
const ordersIn = (steps: readonly Step[]) => steps.filter(step => step === 'order').length

t.test('names that the authority adds lead to no new order after a restart', async t => {
  const { open, came, steps, certified, now } = await startOddOrdering(t)
  certified.names = names => [...names, 'www.pacs.example.org']
  const first = open()
  await came()
  const due = first.state.nextTry
  await first[Symbol.asyncDispose]()

  const second = open()
  t.equal(second.state.nextTry, due, 'due at the same moment as before')
  t.ok(second.state.nextTry > now() + 3 * minutes)
  await second[Symbol.asyncDispose]()
  t.equal(ordersIn(steps), 1)
})

t.test('a wildcard that the authority gave for the names is taken after a restart, too', async t => {
  const { open, came, certified, now } = await startOddOrdering(t)
  certified.names = () => ['*.example.org']
  const first = open()
  await came()
  await first[Symbol.asyncDispose]()
  t.ok(open().state.nextTry > now() + 3 * minutes)
})

t.test('a name taken out of the configuration is ordered anew, once, even if the authority puts it back', async t => {
  const { open, came, steps, certified, now } = await startOddOrdering(t)
  const names = ['pacs.example.org', 'viewer.example.org', 'omero.example.org']
  certified.names = () => names
  const both = open(names)
  await came()
  await both[Symbol.asyncDispose]()

  const turned = open(['pacs.example.org', 'omero.example.org', 'viewer.example.org'])
  t.ok(turned.state.nextTry > now() + 3 * minutes, 'the order of the names is no matter')
  await turned[Symbol.asyncDispose]()

  const fewer = open(['pacs.example.org'])
  await came(2)
  await fewer[Symbol.asyncDispose]()
  const again = open(['pacs.example.org'])
  t.ok(again.state.nextTry > now() + 3 * minutes)
  await again[Symbol.asyncDispose]()
  t.equal(ordersIn(steps), 2)
})

t.test('of a file that does not say what was asked for, the names in the certificate are taken', async t => {
  const { open, came, now } = await startOddOrdering(t)
  const first = open(['pacs.example.org', 'viewer.example.org'])
  await came()
  await first[Symbol.asyncDispose]()
  const pem = readFileSync(first.file, 'utf8')
  writeFileSync(first.file, pem.slice(pem.indexOf('-----BEGIN')))
  const same = open(['pacs.example.org', 'viewer.example.org'])
  t.ok(same.state.nextTry > now() + 3 * minutes)
  await same[Symbol.asyncDispose]()
  t.ok(open(['pacs.example.org']).state.nextTry <= now())
})

t.test(
  'a certificate that begins in a few minutes is taken, and one that begins later where there is none',
  async t => {
    for (const notBefore of [3 * minutes, 60 * minutes]) {
      const { open, came, certified } = await startOddOrdering(t)
      Object.assign(certified, { notBefore, notAfter: 120 * minutes })
      open()
      await came()
    }
    const { open, came, certified, move, now } = await startOddOrdering(t)
    const acme = open()
    await came()
    move(acme.state.nextTry - now())
    Object.assign(certified, { notBefore: now() - Date.now() + 3 * minutes, notAfter: 120 * minutes })
    await came(2)
  },
)

t.test('a gateway that starts again and again does not order each time', async t => {
  const { open, odd, steps, failed, told, now, move, came } = await startOddOrdering(t)
  odd.order = () => ({ status: 403, body: {} })
  const first = open()
  await failed()
  const due = first.state.nextTry
  await first[Symbol.asyncDispose]()
  for (let restart = 0; restart < 3; restart++) {
    const again = open()
    t.equal(again.state.nextTry, due)
    await again[Symbol.asyncDispose]()
  }
  t.equal(ordersIn(steps), 1)
  t.match(told.at(-1), { level: 'warn', message: /the last ACME order did not succeed/ })

  const second = open()
  move(due - now())
  await failed(2)
  const wait = second.state.nextTry - now()
  t.ok(wait > 3.5 * minutes && wait < 5 * minutes, `twice as long as before the restart: ${wait} ms`)
  await second[Symbol.asyncDispose]()

  delete odd.order
  const others = open(['pacs.example.org', 'viewer.example.org'])
  await came()
  t.same(
    readdirSync(dirname(others.file)).filter(name => name !== 'certificate.pem'),
    [],
    'other names wait for nothing, and a success leaves no trace of the failure',
  )
})

t.test('a gateway that dies in the middle of an order does not order at once when it comes back', async t => {
  const { open, odd, steps, dir, now } = await startOddOrdering(t)
  odd.order = () => 'silence'
  const acme = open()
  const silent = () => ordersIn(steps) === 1
  await until('the order was sent', silent, () => steps)
  const note = join(dirname(acme.file), 'last-try.json')
  t.ok(existsSync(note), dir)
  const left = readFileSync(note)
  await acme[Symbol.asyncDispose]()
  t.notOk(existsSync(note), 'a stop is no failure')
  writeFileSync(note, left) // as if it had been killed
  const wait = open().state.nextTry - now()
  t.ok(wait > minutes && wait < 3 * minutes, `it waits ${wait} ms`)
  for (const rubbish of ['', '{', '[]', String(left).replace(/"wait":\d+/, '"wait":-1')]) {
    writeFileSync(note, rubbish)
    const again = open()
    t.ok(again.state.nextTry <= now(), `rubbish is as nothing: ${rubbish}`)
    await again[Symbol.asyncDispose]()
  }
})

t.test('no environment makes an authority believed that cannot prove itself', async t => {
  const other = await startAuthority(t, 'Another Authority')
  // The attack itself: an operator has turned the check off for everything, and ours must stand all the same.
  const variable = 'NODE_TLS_REJECT_UNAUTHORIZED' // turned off for this test alone, and put back behind it
  const before = process.env[variable]
  t.teardown(() => {
    if (before === undefined) delete process.env[variable]
    else process.env[variable] = before
  })
  process.env[variable] = '0'
  const { open, told, steps } = await startOddOrdering(t, { trusted: [other.caPem] })
  const acme = open()
  await until(
    'something was told',
    () => told.length > 0,
    () => steps,
  )
  t.match(acme.state.lastProblem?.message, /did not prove to be the authority/)
  t.same(steps, [])
})
