// What is small goes out in one piece: head, body and end in one TLS record, and not in two or three of them.
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'

/** A wire between client and gateway that counts the records of TLS that come down. */
async function tap(t: Test, to: number) {
  let records = 0
  const wire = createServer(client => {
    const gateway = connect(to, '127.0.0.1')
    let held: Buffer = Buffer.alloc(0)
    gateway.on('data', chunk => {
      held = Buffer.concat([held, chunk])
      for (let length = 0; held.length >= 5; held = held.subarray(length)) {
        length = 5 + held.readUInt16BE(3)
        if (held.length < length) break
        records++
      }
      client.write(chunk)
    })
    client.on('data', chunk => gateway.write(chunk))
    for (const side of [client, gateway]) side.on('error', () => undefined).on('close', () => gateway.destroy())
  })
  await once(wire.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => wire.close())
  const { port } = wire.address() as AddressInfo // not a pipe
  return { port, records: () => records }
}

t.test('a page of ours is one record over HTTP/1.1, and one over HTTP/2', async t => {
  const gateway = await startTestGateway(t, { yaml: 'upstreams: {}\nroutes: []', certificate: 'none' })
  const wire = await tap(t, gateway.port)
  const tls = { port: wire.port, host: '127.0.0.1', servername: 'localhost', ca: gateway.authority.caPem }

  const socket = connectTls({ ...tls, ALPNProtocols: ['http/1.1'] })
  t.teardown(() => socket.destroy())
  let text = ''
  socket.setEncoding('latin1').on('data', part => {
    text += part
  })
  const askHttp1 = async () => {
    text = ''
    socket.write(`GET /nowhere HTTP/1.1\r\nHost: localhost:${gateway.port}\r\n\r\n`)
    while (!/\r\n\r\n[\s\S]*\}\s*$/.test(text)) await once(socket, 'data')
  }
  await askHttp1() // and what belongs to the handshake
  const before = wire.records()
  await askHttp1()
  t.match(text, /^HTTP\/1\.1 404 Not Found\r\n/)
  t.equal(wire.records() - before, 1, 'over HTTP/1.1')

  const session = connectHttp2(`https://127.0.0.1:${wire.port}`, tls)
  t.teardown(() => session.destroy())
  const askHttp2 = async () => {
    const stream = session.request({ ':path': '/nowhere', ':authority': `localhost:${gateway.port}` })
    let status: unknown
    stream.once('response', head => {
      status = head[':status']
    })
    const body = Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>)) // no encoding is set
    return { status, body }
  }
  await askHttp2()
  const earlier = wire.records()
  const { status, body } = await askHttp2()
  t.equal(status, 404)
  t.ok(body.length > 0)
  t.equal(wire.records() - earlier, 1, 'over HTTP/2')
})
