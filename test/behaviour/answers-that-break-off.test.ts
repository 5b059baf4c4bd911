// An answer that broke off behind the gateway never looks whole in front of it.
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import t from 'tap'
import {
  type Answer,
  closeDelimited,
  reply,
  resetBeforeHead,
  resetMidBody,
  withTail,
} from '../fixture/upstream-answers.ts'
import { type Ending, endingOf, protocols, startApp } from './app.ts'

const multipart = 'multipart/related; type="application/dicom"; boundary=the-boundary'
const part = '--the-boundary\r\nContent-Type: application/dicom\r\n\r\nsome bytes\r\n'
const zipEnd = Buffer.from([0x50, 0x4b, 0x05, 0x06, ...Array<number>(18).fill(0)])
const zip = (end: Buffer) => Buffer.concat([Buffer.from('PK\x03\x04 a file'), Buffer.alloc(100_000, 'x'), end])
const commented = Buffer.concat([zipEnd.subarray(0, 20), Buffer.from([9, 0]), Buffer.from('a comment')])

const closing: readonly (readonly [title: string, type: string, body: string | Buffer, Ending])[] = [
  ['multipart with its closing delimiter', multipart, `${part}${part}--the-boundary--\r\n`, 'whole'],
  ['multipart without a line break at its end', multipart, `${part}--the-boundary--`, 'whole'],
  [
    'multipart with a quoted boundary',
    multipart.replace('the-boundary', '"the-boundary"'),
    `${part}--the-boundary--`,
    'whole',
  ],
  ['multipart of one delimiter only', multipart, '--the-boundary--', 'whole'],
  ['multipart that ends within a part', multipart, `${part}--the-boundary\r\nContent-Type: appl`, 'cut'],
  ['multipart that ends between two parts', multipart, part, 'cut'],
  ['multipart with the delimiter of another', multipart, `${part}--another-boundary--\r\n`, 'cut'],
  ['multipart with nothing in it', multipart, '', 'cut'],
  ['multipart whose boundary is not said', 'multipart/related', `${part}--the-boundary--`, 'cut'],
  ['zip with its end record', 'application/zip', zip(zipEnd), 'whole'],
  ['zip with a comment in its end record', 'application/zip', zip(commented), 'whole'],
  ['zip without its end record', 'application/zip', zip(Buffer.alloc(0)), 'cut'],
  ['zip that ends within its end record', 'application/zip', zip(zipEnd.subarray(0, 12)), 'cut'],
  ['zip with bytes behind its end record', 'application/zip', zip(Buffer.concat([zipEnd, Buffer.from('more')])), 'cut'],
  ['text, which has no end mark', 'text/plain', 'some text', 'whole'],
]

for (const protocol of protocols) {
  t.test(
    `over ${protocol} an answer of Orthanc without a length is whole only with the end mark of its format`,
    async t => {
      let answer: Answer = reply()
      const app = await startApp(t, () => answer, {
        kind: 'orthanc',
        accounts: { reader: { password: 'reader-password' } },
      })
      for (const [title, type, body, ending] of closing) {
        answer = closeDelimited(body, [['Content-Type', type]])
        const ended = await endingOf(app, '/studies/1/archive', protocol)
        t.match(ended, { ending }, title)
        if (ending === 'whole') t.match(ended, { status: 200, bytes: Buffer.from(body) }, `${title}: every byte`)
      }
    },
  )

  t.test(`over ${protocol} a body with a length or in chunks that breaks off is cut`, async t => {
    let answer: Answer = reply()
    const app = await startApp(t, () => answer)
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    const broken: readonly (readonly [title: string, answer: Answer])[] = [
      ['a reset within a body', resetMidBody('x'.repeat(70_000), 200_000)],
      [
        'an end before the length is reached',
        async line => {
          await line.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(999)}`)
          line.end()
        },
      ],
      [
        'an end between two chunks',
        async line => {
          await line.write(`${chunked}5\r\nhello\r\n`)
          line.end()
        },
      ],
    ]
    for (const [title, sent] of broken) {
      answer = sent
      const ended = await endingOf(app, '/x', protocol)
      t.match(ended, { status: 200, ending: 'cut' }, `${title}: ${ended.how}`)
    }
    answer = reply({ body: 'all is well' })
    t.match(await endingOf(app, '/x', protocol), { status: 200, ending: 'whole', bytes: Buffer.from('all is well') })
    t.equal(app.upstream.connections, 4, 'no connection that broke off was used again')
  })

  t.test(`over ${protocol} an answer that broke off before its head is a 502`, async t => {
    let answer: Answer = reply()
    const app = await startApp(t, () => answer)
    const broken: readonly Answer[] = [
      resetBeforeHead,
      line => line.end(),
      async line => {
        await line.write('HTTP/1.1 200 OK\r\nContent-')
        line.end()
      },
      line => line.write('SSH-2.0-OpenSSH_9.2\r\n'),
      // What came with the head is looked at before the head is passed on.
      line => line.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n'),
    ]
    for (const sent of broken) {
      answer = sent
      const asked = await app.gateway.ask('/x', { protocol })
      t.equal(asked.status, 502)
      t.match(JSON.parse(asked.text), { reason: 'upstream-broken', upstream: 'app' })
    }
  })

  t.test(`over ${protocol} bytes behind an answer reach nobody`, async t => {
    const tail = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned'
    let poisoned = true
    const app = await startApp(t, () => (poisoned ? withTail({ body: 'first' }, tail) : reply({ body: 'second' })))
    t.equal((await app.gateway.ask('/x', { protocol })).text, 'first')
    poisoned = false
    for (let times = 0; times < 3; times++) t.equal((await app.gateway.ask('/x', { protocol })).text, 'second')
  })
}

for (const protocol of protocols) {
  t.test(`over ${protocol} the head of an answer goes on before its body has begun`, async t => {
    let goOn = () => {}
    const waited = new Promise<void>(resolve => {
      goOn = resolve
    })
    const { gateway } = await startApp(t, () => async line => {
      await line.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
      await waited
      await line.write('5\r\nhello\r\n0\r\n\r\n')
    })
    if (protocol === 'HTTP/1.1') {
      const answer = await gateway.open('/events')
      t.equal(answer.statusCode, 200)
      goOn()
      t.equal(Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>)).toString(), 'hello') // no encoding is set
      return
    }
    const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
    t.teardown(() => session.destroy())
    const stream = session.request({ ':path': '/events' })
    const [headers] = await once(stream, 'response')
    t.equal(headers[':status'], 200)
    goOn()
    t.equal(Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>)).toString(), 'hello') // no encoding is set
  })
}
