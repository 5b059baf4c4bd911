// A running `serve` takes over what was changed: by signal, or by itself when a file that it reads is another one.
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import type { TestPair } from '../fixture/authority.ts'
import { askSite, makeSite, type ServedSite, type Site, serveSite } from '../fixture/site.ts'

const open = `upstreams: { app: { kind: generic, url: "http://127.0.0.1:9" } }
routes: [{ path: /, upstream: app, access: everyone }]`

const rewrite = ({ file }: Site, change: (text: string) => string) =>
  writeFileSync(file, change(readFileSync(file, 'utf8')))
const statusOf = async (site: Site, served: ServedSite) => (await askSite(site, served, '/')).statusCode
const serialOf = async ({ authority }: Site, { port }: ServedSite) => {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.caPem })
  await once(socket, 'secureConnect')
  const serial = socket.getPeerX509Certificate()?.serialNumber
  socket.destroy()
  return serial
}

t.test('SIGHUP reads the configuration again, and says what came of it', async t => {
  const site = await makeSite(t, { yaml: open })
  const served = await serveSite(t, site)
  t.equal(await statusOf(site, served), 502)
  rewrite(site, text => text.replace('access: everyone', 'access: authenticated'))
  served.signal('SIGHUP')
  await served.shows(/"reason":"SIGHUP".*is at work/)
  t.equal(await statusOf(site, served), 401)
})

t.test('a file that was changed is read without being asked', async t => {
  const site = await makeSite(t, { yaml: open })
  const served = await serveSite(t, site)
  rewrite(site, text => text.replace('access: everyone', 'access: authenticated'))
  await served.shows(/"reason":"files have changed".*is at work/)
  t.equal(await statusOf(site, served), 401)

  await t.test('also what is wrong with it, and what ran before goes on', async t => {
    rewrite(site, text => text.replace('access: authenticated', 'access: authentikated'))
    await served.shows(/"key":"routes\[0\]\.access".*write everyone, authenticated, or a list of rules/)
    await served.shows(/the configuration was not taken: what ran before goes on/)
    t.equal(await statusOf(site, served), 401)
    rewrite(site, text => text.replace('access: authentikated', 'access: everyone'))
    await served.shows(/is at work[\s\S]*not taken[\s\S]*is at work/)
    t.equal(await statusOf(site, served), 502)
  })
})

t.test('a certificate is renewed as certbot and containers do it, by a link that is swapped', async t => {
  const site = await makeSite(t, { yaml: open })
  const links = join(site.dir, 'links')
  mkdirSync(links)
  const pairs = [await site.authority.server(['localhost']), await site.authority.server(['localhost'])] as const
  const point = (name: string, to: string) => {
    symlinkSync(to, join(links, `${name}.new`))
    renameSync(join(links, `${name}.new`), join(links, name))
  }
  const swap = ({ certFile, keyFile }: TestPair) => {
    point('server.pem', certFile)
    point('server.key', keyFile)
  }
  swap(pairs[0])
  rewrite(site, text =>
    text.replace(/keystore: \{.*\}/, `keystore: { certificate: links/server.pem, key: links/server.key }`),
  )
  const served = await serveSite(t, site)
  t.equal(await serialOf(site, served), pairs[0].serial)
  swap(pairs[1])
  await served.shows(/files have changed.*is at work/)
  t.equal(await serialOf(site, served), pairs[1].serial)

  await t.test('half of a renewal is not taken, and the other half makes it whole', async t => {
    point('server.pem', pairs[0].certFile)
    await served.shows(/the key does not belong to this certificate/)
    t.equal(await serialOf(site, served), pairs[1].serial)
    point('server.key', pairs[0].keyFile)
    await served.shows(/not taken[\s\S]*is at work/)
    t.equal(await serialOf(site, served), pairs[0].serial)
  })
})
