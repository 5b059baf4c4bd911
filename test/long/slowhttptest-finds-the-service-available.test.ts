// slowhttptest, a tool that is not ours, attacks the gateway in its four ways: its own probe finds the service available
// for all of the time, and the gateway has hung up on the attackers at the end.
import { execFile } from 'node:child_process'
import { promisify, stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { holdsWithin, startSiege } from './siege/siege.ts'

/** Seconds that one attack lasts at most. */
const length = 20

interface Mode {
  readonly options: readonly string[]
  readonly path: string
  /** It asks for much in one request and waits for the answer: on a quiet machine it is through before anybody hangs up. */
  readonly isAnswered?: true
}

// Those that reach the upstream are fewer than its connections: the probe comes from the same address as the attack.
const modes: Readonly<Record<string, Mode>> = {
  'slow headers': { options: ['-H', '-c', '2000', '-r', '200', '-i', '2', '-x', '24'], path: '/small' },
  'slow bodies': { options: ['-B', '-c', '150', '-r', '100', '-i', '2', '-s', '8192', '-x', '10'], path: '/small' },
  'slow reading': {
    options: ['-X', '-c', '150', '-r', '100', '-w', '512', '-y', '1024', '-n', '5', '-z', '32'],
    path: '/large',
  },
  ranges: { options: ['-R', '-c', '300', '-r', '100', '-a', '10', '-b', '3000'], path: '/small', isAnswered: true },
}

interface Found {
  readonly closed: number
  readonly available: readonly string[]
}

async function attack(port: number, { options, path }: Mode): Promise<Found> {
  const url = `https://localhost:${port}${path}`
  const { stdout } = await promisify(execFile)('slowhttptest', [...options, '-l', `${length}`, '-p', '3', '-u', url], {
    maxBuffer: 16 * 1024 * 1024,
  })
  const text = stripVTControlCharacters(stdout)
  const last = (name: string) => Number([...text.matchAll(new RegExp(`${name}:\\s+(\\d+)`, 'g'))].at(-1)?.[1])
  return {
    closed: last('closed'),
    available: [...new Set([...text.matchAll(/service available:\s+(\w+)/g)].map(([, word = '']) => word))],
  }
}

t.test('the service is available while slowhttptest attacks', async t => {
  if (!requireReal(t, ['slowhttptest'])) return
  const siege = await startSiege(t, {
    limits: '{ headers: 5 s, idle: 5 s, keepAlive: 5 s }',
    upstream: ', connections: 200',
  })
  await siege.measure(2_000)
  const descriptors = siege.descriptors()
  const cut = () => siege.metric('sallyport_client_trouble_total', '"slow"')
  for (const [title, mode] of Object.entries(modes)) {
    await t.test(title, async t => {
      const cutBefore = await cut()
      const [found, honest] = await Promise.all([attack(siege.port, mode), siege.measure(15_000)])
      t.same(found.available, ['YES'], 'by its own probe, at every look')
      // Where it reads slowly, or is through before its next look, it does not see itself that we have hung up.
      const hungUp = Math.max(found.closed, (await cut()) - cutBefore)
      if (!mode.isAnswered) t.ok(hungUp > 100, `${hungUp} were hung up on`)
      t.same(
        [...honest.kept.failures, ...honest.fresh.failures],
        [],
        `${honest.fresh.count} others came and were served`,
      )
      t.ok(await holdsWithin(20_000, () => siege.descriptors() <= descriptors + 5), `${siege.descriptors()} are open`)
    })
  }
})
