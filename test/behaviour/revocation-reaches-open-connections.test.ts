// A certificate that is taken back ends what its holder has open: requests, downloads, WebSockets, streams.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { signRevocationList } from '../../src/issuer/revocation-list.ts'
import { startAuthority, type TestClient } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { openAll, respondToAll, seeCut } from './all-open.ts'

/** A revocation must be felt within this. */
const patience = 5_000

/** With `lists`: the listener and the stream ask a revocation list, which `write` makes anew. */
async function startHouse(t: Test, lists: boolean) {
  const authority = await startAuthority(t)
  const upstream = await startUpstream(t, respondToAll)
  const echo = await startTcpUpstream(t, { keeps: false, onConnection: socket => socket.pipe(socket) })
  const { certFile, keyFile } = await authority.server(['localhost'], ['127.0.0.1'])
  const file = join(authority.dir, 'list.pem')
  const write = async () => writeFileSync(file, (await signRevocationList(authority.authority, authority.ledger)).pem)
  await write()
  const revocation = lists ? { clients: `revocation: { lists: [${file}] }` } : {}
  const gateway = await startTestGateway(t, {
    authority,
    ...revocation,
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
streams:
  raw:
    bind: 127.0.0.1:0
    protocol: raw
    keystore: { certificate: ${certFile}, key: ${keyFile} }
    clients: { ${['certificate: required', `truststore: ${authority.caFile}`, ...Object.values(revocation)].join(', ')} }
    upstream: "tcp://127.0.0.1:${echo.port}"
    access: authenticated
`,
  })
  return { authority, gateway, write }
}

async function seeTaken(
  t: Test,
  gateway: TestGateway,
  people: { readonly alice: TestClient; readonly bob: TestClient },
  take: () => Promise<void>,
) {
  const [hers, his] = [await openAll(t, gateway, people.alice), await openAll(t, gateway, people.bob)]
  await take()
  await seeCut(t, hers, patience)
  for (const { what, isOpen } of his) t.ok(isOpen(), `${what} of somebody else goes on`)
  const refused = await gateway.ask('/', { client: people.alice })
  t.match([refused.status, JSON.parse(refused.text).reason], [401, 'certificate-revoked'])
  t.equal((await gateway.ask('/', { client: people.bob })).status, 200)
  t.match(
    gateway.audit().find(({ kind }) => kind === 'certificate-refused'),
    { reason: 'certificate-revoked', detail: /keyCompromise/ },
  )
}

t.test('what our own authority takes back while the gateway runs', async t => {
  const { authority, gateway } = await startHouse(t, false)
  const people = { alice: await authority.client('alice'), bob: await authority.client('bob') }
  await seeTaken(t, gateway, people, async () => {
    // As the command does it, over a connection of its own to the state.
    using ledger = openLedger(join(gateway.dir, 'state', ledgerFile))
    for (const issued of authority.ledger.list()) ledger.record(issued)
    ledger.revoke(people.alice.serial, { at: new Date(), reason: 'keyCompromise' })
  })
})

t.test('what a new revocation list takes back', async t => {
  const { authority, gateway, write } = await startHouse(t, true)
  const people = { alice: await authority.client('alice'), bob: await authority.client('bob') }
  await seeTaken(t, gateway, people, async () => {
    authority.ledger.revoke(people.alice.serial, { at: new Date(), reason: 'keyCompromise' })
    await write()
    t.same(await gateway.reload(), { ok: true })
  })
})
