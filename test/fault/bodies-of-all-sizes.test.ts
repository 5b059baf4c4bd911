// F13: a length that is promised and never sent, and a body that is small on the line and large when unpacked. The gateway
// holds to its limit before it asks anybody, unpacks nothing, and hands on what came as it came.
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { head, openRaw, stillAnswers, talk } from '../attack/raw-request.ts'
import { protocols, startApp, within } from '../behaviour/app.ts'

const megabyte = 1024 * 1024
const lengths = [4 * 1024 * megabyte, 2 ** 32 - 1, 2 ** 40]

t.test('a promise of 4 GB and more over the limit is 413, with nothing sent on', async t => {
  const { gateway, upstream } = await startApp(t, undefined, {
    kind: 'orthanc',
    settings: 'maxBody: 1 MB',
    answerAt: 'head',
  })
  for (const length of lengths) {
    const { text } = await talk(gateway, head(gateway, 'POST /instances HTTP/1.1', [`Content-Length: ${length}`]), {
      until: '\r\n\r\n',
    })
    t.match(text, /^HTTP\/1\.1 413 /, `${length}`)
  }
  t.same(upstream.received, [])
  await stillAnswers(t, gateway)
})

t.test('lengths that are no number, or beyond every file, are a bad request', async t => {
  const { gateway, upstream } = await startApp(t, undefined, { kind: 'orthanc', answerAt: 'head' })
  for (const length of [
    '9007199254740991',
    '18446744073709551616',
    '99999999999999999999999',
    '-1',
    '0x10',
    '1e9',
    '4294967296, 1',
  ]) {
    const { text } = await talk(gateway, head(gateway, 'POST /instances HTTP/1.1', [`Content-Length: ${length}`]), {
      until: '\r\n\r\n',
    })
    t.match(text, /^HTTP\/1\.1 400 /, length)
  }
  t.same(upstream.received, [])
  await stillAnswers(t, gateway)
})

t.test('without a limit a promise of 4 GB costs no memory, and ends with its client', async t => {
  const { gateway, upstream } = await startApp(t, undefined, { kind: 'orthanc' })
  const before = process.memoryUsage().rss
  const lines = await Promise.all(Array.from({ length: 10 }, () => openRaw(gateway)))
  for (const line of lines) {
    await line.write(head(gateway, 'POST /instances HTTP/1.1', [`Content-Length: ${lengths[0]}`]))
    await line.write('a beginning')
  }
  t.ok(await within(3_000, () => upstream.received.length === 10))
  const grown = (process.memoryUsage().rss - before) / megabyte
  t.ok(grown < 200, `${grown.toFixed()} MB more`)
  for (const line of lines) line.close()
  t.ok(await within(2_000, () => upstream.openConnections === 0))
  t.notOk(
    upstream.received.some(({ complete }) => complete),
    'none looks whole',
  )
  await stillAnswers(t, gateway)
})

for (const protocol of protocols) {
  t.test(`over ${protocol} a packed body arrives byte for byte, and is measured as it came`, async t => {
    const { gateway, upstream } = await startApp(t, undefined, { kind: 'orthanc', settings: 'maxBody: 1 MB' })
    const ask = (body: Buffer, coding: string) =>
      gateway.ask('/instances', { method: 'POST', protocol, body, headers: { 'content-encoding': coding } })
    const bomb = gzipSync(Buffer.alloc(64 * megabyte))
    for (const coding of ['gzip', 'deflate', 'gzip, gzip', 'br']) {
      t.equal((await ask(bomb, coding)).status, 200, coding)
      const came = upstream.received.at(-1)
      t.ok(came?.body.equals(bomb), 'the same bytes')
      t.equal(came?.header('content-encoding'), coding)
    }
    const asked = upstream.received.length
    t.equal((await ask(randomBytes(megabyte + 1), 'gzip')).status, 413, 'packed is no way past the limit')
    t.equal(upstream.received.length, asked)
  })

  t.test(`over ${protocol} a packed form of ours is no form`, async t => {
    const { gateway } = await startApp(t, undefined, { accounts: { alice: { password: 'alice-password' } } })
    const body = gzipSync(`name=alice&password=alice-password&token=x${'&x=y'.repeat(100_000)}`)
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-encoding': 'gzip',
      origin: gateway.url,
    }
    const answer = await gateway.ask('/-/login', { method: 'POST', protocol, body, headers })
    t.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`)
    t.same(
      answer.cookies.filter(line => line.startsWith('__Host-sallyport=')),
      [],
    )
  })
}
