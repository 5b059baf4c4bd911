// The length of a compressed answer that holds a secret beside what the client sent gives the secret away (BREACH). So the
// gateway compresses no answer of anybody unless it is told to, and then only DICOM JSON, pixels, and what an Orthanc has of
// JSON and scripts: never a page, and nothing of an application that may have tokens. What comes compressed passes as it is, and
// its own pages go out plain. The viewer's files are packed, which are the same for everybody and repeat nothing that was sent.
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

const plain = `{"token":"5ecret","asked":"${'token=5ecret '.repeat(1_000)}"}`
const packed = gzipSync(plain)
const upstream = await startUpstream(t, ({ target }) => {
  const coded = target.includes('packed')
  const type = /[?&]type=([^&]+)/.exec(target)?.[1] ?? 'application/json'
  return reply({
    status: 200,
    headers: [['Content-Type', decodeURIComponent(type)], ...(coded ? ([['Content-Encoding', 'gzip']] as const) : [])],
    body: coded ? packed : plain,
  })
})
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse' } },
  yaml: `
upstreams:
  app: { kind: generic, url: "${upstream.url}" }
  orthanc: { kind: orthanc, url: "${upstream.url}" }
  gone: { kind: generic, url: "http://127.0.0.1:1" }
  packing: { kind: generic, url: "${upstream.url}", compress: always }
  packing-orthanc: { kind: orthanc, url: "${upstream.url}", compress: always }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /orthanc, upstream: orthanc, strip: true, access: everyone }
  - { path: /closed, upstream: app, access: authenticated }
  - { path: /gone, upstream: gone, access: everyone }
  - { path: /packing, upstream: packing, access: everyone }
  - { path: /packing-orthanc, upstream: packing-orthanc, access: everyone }
`,
})

const wishes = ['gzip', 'br', 'gzip, deflate, br, zstd', 'gzip;q=1, identity;q=0', '*']

t.test('an answer passes byte by byte, plain or packed, whatever the client would like', async t => {
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    for (const wish of wishes) {
      for (const path of ['/plain', '/orthanc/plain']) {
        const { headers, bytes } = await gateway.ask(path, { protocol, headers: { 'accept-encoding': wish } })
        t.notOk(headers['content-encoding'], `${path} over ${protocol} for ${wish}`)
        t.equal(bytes.length, plain.length)
      }
      const { headers, bytes } = await gateway.ask('/packed', { protocol, headers: { 'accept-encoding': wish } })
      t.equal(headers['content-encoding'], 'gzip')
      t.ok(bytes.equals(packed), 'not unpacked, not packed again')
    }
  }
})

t.test('told to compress, it packs no page and nothing of an application that may have tokens', async t => {
  const never = [
    'text/html',
    'text/html; charset=utf-8',
    'application/xhtml+xml',
    'text/plain',
    'application/x-www-form-urlencoded',
  ]
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    const coding = async (path: string, type: string) => {
      const asked = `${path}?type=${encodeURIComponent(type)}`
      const { headers } = await gateway.ask(asked, {
        protocol,
        headers: { 'accept-encoding': 'gzip, deflate, br, zstd' },
      })
      return headers['content-encoding']
    }
    for (const type of never)
      for (const path of ['/packing', '/packing-orthanc'])
        t.equal(await coding(path, type), undefined, `${path} ${type}`)
    for (const type of ['application/json', 'text/javascript']) {
      t.equal(await coding('/packing', type), undefined, type)
      t.equal(await coding('/packing-orthanc', type), 'zstd', type)
    }
    t.equal(await coding('/packing', 'application/dicom+json'), 'zstd', 'it does pack')
    t.equal(await coding('/plain', 'application/dicom+json'), undefined, 'where it is told to')
  }
})

t.test('no page of ours is compressed, though it repeats what was sent beside a token', async t => {
  const cookie = await gateway.signIn('alice', 'correct horse')
  const pages = ['/-/', `/-/login?next=/${'x'.repeat(2_000)}`, '/closed', '/gone', '/-/nowhere', '/-/portal.css']
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    for (const wish of wishes) {
      for (const path of pages) {
        for (const known of [{}, { cookie }]) {
          const headers = { 'accept-encoding': wish, accept: 'text/html', 'sec-fetch-mode': 'navigate' }
          const answer = await gateway.ask(path, { protocol, headers, ...known })
          t.notOk(answer.headers['content-encoding'], `${path} over ${protocol} for ${wish}`)
        }
      }
    }
  }
})
