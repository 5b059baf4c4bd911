// What an upstream sends plain goes out packed where the operator wants it and it pays: JSON always, pixels over a slow line.
import { createHook } from 'node:async_hooks'
import { createCipheriv } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import t from 'tap'
import type { Received } from '../fixture/received.ts'
import { closeDelimited, type Fields, reply, resetMidBody } from '../fixture/upstream-answers.ts'
import { endingOf, protocols, startApp, within } from './app.ts'

const instance = '/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5'
/** 512 x 512 pixels of 12 bit that pack to about the half, as those of a CT do. */
const pixels = Buffer.alloc(524_288)
const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(262_144))
for (const [index, value] of noise.entries()) pixels.writeUInt16LE(1_000 + (value >> 1), 2 * index)
const partsOf = (type: string) => [['Content-Type', `multipart/related; type="${type}"; boundary=b`]] as const
const frameBody = Buffer.concat([Buffer.from('--b\r\n\r\n'), pixels, Buffer.from('\r\n--b--\r\n')])
const explicitLittle = 'application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1'
const json = JSON.stringify(
  Array.from({ length: 500 }, (_, index) => ({ '00080018': { vr: 'UI', Value: [`1.2.${index}`] } })),
)
const unpack: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  zstd: zstdDecompressSync,
  br: brotliDecompressSync,
  gzip: gunzipSync,
}
const respond = ({ target }: Received) => {
  if (target.includes('/frames/')) return reply({ headers: partsOf(explicitLittle), body: frameBody })
  return reply({
    headers: [
      ['Content-Type', 'application/dicom+json'],
      ['ETag', '"one"'],
    ],
    body: json,
    ...(target.includes('chunks') ? { chunk: 5_000 } : {}),
  })
}
const chromium = 'gzip, deflate, br, zstd'

t.test('DICOM JSON is packed as the client likes it best, and unpacks to the same bytes', async t => {
  const { gateway } = await startApp(t, respond, { kind: 'orthanc', settings: 'compress: auto' })
  for (const protocol of protocols) {
    for (const [wish, coding] of [
      [chromium, 'zstd'],
      ['gzip, br', 'br'],
      ['gzip', 'gzip'],
      ['*', 'gzip'],
      ['zstd;q=0.5, gzip', 'gzip'],
      ['zstd;q=0, br;q=0.001', 'br'],
      ['identity', undefined],
      ['gzip;q=0', undefined],
      ['', undefined],
    ] as const) {
      for (const path of ['/dicom-web/studies', '/dicom-web/studies?chunks']) {
        const headers = { 'accept-encoding': wish }
        const answer = await gateway.ask(path, { protocol, headers })
        t.equal(answer.headers['content-encoding'], coding, `${wish} over ${protocol}`)
        t.equal((coding === undefined ? answer.bytes : unpack[coding]?.(answer.bytes))?.toString(), json)
        t.match(answer.headers['vary'], /accept-encoding/i)
        t.equal(answer.headers['etag'], coding === undefined ? '"one"' : 'W/"one"')
        if (coding !== undefined) t.ok(answer.bytes.length < json.length / 5)
        const length = answer.headers['content-length']
        t.ok(length === undefined || Number(length) === answer.bytes.length)
        const head = await gateway.ask(path, { protocol, headers, method: 'HEAD' })
        t.same(
          [head.headers['content-encoding'], head.headers['etag'], head.bytes.length],
          [coding, answer.headers['etag'], 0],
        )
      }
    }
  }
})

t.test('what is packed already, small, for one person or not to be touched goes out as it is', async t => {
  const types: Record<string, Fields> = {
    jpeg: [['Content-Type', 'image/jpeg']],
    'jpeg-parts': partsOf('image/jpeg'),
    'jpeg-2000': partsOf('application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.90'),
    rle: partsOf('application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5'),
    deflated: partsOf('application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1.99'),
    dicom: partsOf('application/dicom'),
    octets: [['Content-Type', 'application/octet-stream']],
    page: [['Content-Type', 'text/html']],
    cookie: [
      ['Content-Type', 'application/dicom+json'],
      ['Set-Cookie', 'a=b'],
    ],
    'no-transform': [
      ['Content-Type', 'application/dicom+json'],
      ['Cache-Control', 'private, no-transform'],
    ],
    digest: [
      ['Content-Type', 'application/dicom+json'],
      ['Repr-Digest', 'sha-256=:x:'],
    ],
    coded: [
      ['Content-Type', 'application/dicom+json'],
      ['Content-Encoding', 'x-odd'],
    ],
    partial: [
      ['Content-Type', 'application/dicom+json'],
      ['Content-Range', 'bytes 0-1/2'],
    ],
    error: [['Content-Type', 'application/dicom+json']],
    small: [['Content-Type', 'application/dicom+json']],
  }
  const { gateway } = await startApp(
    t,
    ({ target }) => {
      const name = target.slice(1)
      const status = name === 'error' ? 404 : name === 'partial' ? 206 : 200
      return reply({ status, headers: types[name] ?? [], body: name === 'small' ? json.slice(0, 900) : json })
    },
    { kind: 'orthanc', settings: 'compress: always' },
  )
  for (const protocol of protocols) {
    for (const name of Object.keys(types)) {
      const answer = await gateway.ask(`/${name}`, { protocol, headers: { 'accept-encoding': chromium } })
      t.equal(answer.text, name === 'small' ? json.slice(0, 900) : json, name)
    }
  }
})

t.test('pixels are packed while the line is slow, and while it is fast they are not', async t => {
  const { gateway } = await startApp(t, respond, { kind: 'orthanc', settings: 'compress: auto' })
  // Windows of 64 kB, as they are unless somebody widens them: what was not taken is not sent.
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => session.destroy())
  await once(session, 'connect')
  const ask = async (rate: number) => {
    const stream = session.request({ ':path': `${instance}/frames/1`, 'accept-encoding': chromium })
    const [head] = await once(stream, 'response')
    const bytes: Buffer[] = []
    // A bucket of bytes that is filled `rate` a second.
    let had = 0
    const began = performance.now()
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes.push(chunk)
      had += chunk.length
      const ahead = (had / rate) * 1_000 - (performance.now() - began)
      if (ahead > 1) await pause(ahead)
    }
    const coding = String(head['content-encoding'] ?? 'none')
    const whole = Buffer.concat(bytes)
    t.ok((coding === 'none' ? whole : unpack[coding]?.(whole))?.equals(frameBody), coding)
    return coding
  }
  t.same(await Promise.all(Array.from({ length: 4 }, () => ask(1e9))), Array(4).fill('none'), 'nothing is known yet')
  await Promise.all(Array.from({ length: 3 }, () => ask(700_000)))
  t.equal(await ask(1e9), 'zstd', 'a megabyte a second: slower than packing')
  const later = []
  for (let times = 0; times < 24; times++) later.push(await ask(1e9))
  t.equal(later.at(-1), 'none', 'and when it is fast again they are not')
})

t.test(
  'all that a viewer asks for at once is packed, and of more than the gate can bear the rest goes as it is',
  async t => {
    const { gateway } = await startApp(t, respond, { kind: 'orthanc', settings: 'compress: always, connections: 400' })
    /** A hundred frames of which nothing more is taken than fits into a window, until `all` is asked for. */
    const hundred = async () => {
      const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
      t.teardown(() => session.destroy())
      await once(session, 'connect')
      const streams = Array.from({ length: 100 }, () =>
        session.request({ ':path': `${instance}/frames/1`, 'accept-encoding': chromium }),
      )
      const heads = await Promise.all(streams.map(stream => once(stream, 'response')))
      const codings = heads.map(([head]) => String(head['content-encoding'] ?? 'none'))
      const all = () =>
        Promise.all(
          streams.map(async (stream, nth) => {
            const whole = Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>))
            return codings[nth] === 'none' ? whole : zstdDecompressSync(whole)
          }),
        )
      return { packed: codings.filter(coding => coding === 'zstd').length, all }
    }
    const first = await hundred()
    t.equal(first.packed, 100)
    const second = await hundred()
    t.equal(second.packed, 60)
    for (const { all } of [first, second]) t.ok((await all()).every(body => body.equals(frameBody)))
    t.equal((await hundred()).packed, 100, 'and who is ready has given its turn back')
  },
)

t.test('a frame that is kept is packed once, for all who take it so', async t => {
  const { gateway, upstream } = await startApp(t, respond, {
    kind: 'orthanc',
    settings: 'compress: always, cache: { memory: 16 MB }',
  })
  const frame = `${instance}/frames/1`
  const ask = (wish: string, protocol: 'HTTP/1.1' | 'HTTP/2' = 'HTTP/2', more = {}) =>
    gateway.ask(frame, { protocol, headers: { 'accept-encoding': wish, ...more } })
  let packers = 0
  const counted = createHook({ init: (_id, type) => (packers += type === 'ZLIB' ? 1 : 0) }).enable()
  const cold = await ask(chromium)
  t.equal(packers, 1)
  const all = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(chromium, protocols[index % 2])))
  counted.disable()
  t.equal(packers, 1, 'once, and not once for each')
  for (const { bytes, headers } of all) {
    t.equal(headers['content-encoding'], 'zstd')
    t.ok(bytes.equals(cold.bytes))
  }
  t.ok(zstdDecompressSync(cold.bytes).equals(frameBody))
  t.ok(brotliDecompressSync((await ask('br')).bytes).equals(frameBody))
  t.ok((await ask('identity')).bytes.equals(frameBody))
  const unchanged = await ask(chromium, 'HTTP/2', { 'if-none-match': cold.headers['etag'] })
  t.same([unchanged.status, unchanged.headers['vary']], [304, 'Accept-Encoding'])
  t.equal(upstream.received.length, 1)
})

t.test('an upstream that breaks off cuts the packed answer too, and a client that leaves ends it', async t => {
  const { gateway, upstream } = await startApp(
    t,
    ({ target }) => {
      if (target === '/cut') return resetMidBody(json, 1_000_000, [['Content-Type', 'application/dicom+json']])
      if (target === '/unmarked') return closeDelimited(frameBody.subarray(0, 300_000), partsOf(explicitLittle))
      return async line => {
        await line.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n')
        for (;;) await line.write(json)
      }
    },
    { kind: 'orthanc', settings: 'compress: always' },
  )
  const asked = {
    gateway: { ...gateway, open: (path: string) => gateway.open(path, { headers: { 'accept-encoding': 'gzip' } }) },
  }
  for (const path of ['/cut', '/unmarked']) t.equal((await endingOf(asked, path, 'HTTP/1.1')).ending, 'cut', path)
  const leaving = await gateway.open('/endless', { headers: { 'accept-encoding': 'gzip' } })
  t.equal(leaving.headers['content-encoding'], 'gzip')
  leaving.destroy()
  t.ok(await within(10_000, () => upstream.openConnections === 0))
})
