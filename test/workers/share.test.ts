// What is divided among workers is never more in sum than what was written, and none has nothing; `auto` makes no more of
// them than that is enough for.
import t from 'tap'
import { tooFew, workersOf } from '../../src/config/divided.ts'
import { parseConfig } from '../../src/config/load.ts'
import { shareOf } from '../../src/workers/share.ts'

function configOf(settings: string) {
  const loaded = parseConfig(
    `
listeners: { web: { bind: "127.0.0.1:0", keystore: { certificate: a.pem }, limits: { connections: 1001, connectionsPerAddress: 40 } } }
streams: { dicom: { protocol: dicom, bind: "127.0.0.1:0", keystore: { certificate: a.pem }, upstream: "tcp://127.0.0.1:1", access: everyone, limits: { connections: 50 } } }
upstreams: { orthanc: { kind: orthanc, url: "http://127.0.0.1:1" }, viewer: { kind: ohif, root: viewer } }
${settings}`,
    '/nowhere',
  )
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  return loaded.config
}
const seats = (of: number) => Array.from({ length: of }, (_, index) => ({ number: index + 1, of }))
const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)

t.test('all parts together are what was written', async t => {
  const config = configOf('')
  for (const workers of [2, 3, 7, 40]) {
    const shares = seats(workers).map(seat => shareOf(config, seat))
    const connections = shares.map(({ upstreams: { orthanc } }) =>
      orthanc?.kind === 'orthanc' ? orthanc.connections : 0,
    )
    t.equal(sum(connections), 40, `${workers} workers: ${connections}`)
    t.ok(connections.every(one => one > 0))
    t.equal(sum(shares.map(({ listeners: { web } }) => (web?.kind === 'secure' ? web.limits.connections : 0))), 1001)
    t.equal(sum(shares.map(({ streams: { dicom } }) => dicom?.limits.connections ?? 0)), 50)
  }
})

t.test('one address may have its browser in each of them', async t => {
  const ofAddress = (written: number, of: number) => {
    const { web } = shareOf(configOf(''), { number: 1, of }).listeners
    if (web?.kind !== 'secure') throw new Error('it was written as one with TLS')
    const limits = { ...web.limits, connectionsPerAddress: written }
    const shared = shareOf({ ...configOf(''), listeners: { web: { ...web, limits } } }, { number: 1, of }).listeners[
      'web'
    ]
    return shared?.kind === 'secure' ? shared.limits.connectionsPerAddress : undefined
  }
  t.same([ofAddress(40, 2), ofAddress(1_000, 4), ofAddress(40, 8), ofAddress(10, 4)], [20, 250, 16, 10])
})

t.test('auto is one for each processor, as far as there is enough for all', async t => {
  const auto = configOf('workers: auto')
  t.same(workersOf(auto, 2), { workers: 2 })
  t.same(workersOf(auto, 16), { workers: 4, because: { path: ['upstreams', 'orthanc', 'connections'], limit: 40 } })
  t.same(workersOf(configOf(''), 16), { workers: 1 })
  t.same(workersOf(configOf('workers: 6'), 2), { workers: 6 })
  t.equal(tooFew(auto, 40), undefined)
  t.match(tooFew(auto, 41), { limit: 40 })
})
