// Handshakes that arrive in pieces, in disguise or as something else: the same terms, a short answer, and nobody falls over.
// Source: CVE-2026-32305 (fragmented ClientHello fell back to laxer terms), CVE-2026-21637 (callbacks that throw).
import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type ConnectionOptions, connect } from 'node:tls'
import t, { type Test } from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

/** What a TLS client sends first. */
async function clientHello(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // listening on TCP: always an AddressInfo
  const client = connect({ host: '127.0.0.1', port, ...options })
  client.on('error', () => undefined) // it is never answered
  const [socket] = (await once(server, 'connection')) as [Socket] // the only argument of this event
  const parts: Buffer[] = []
  socket.on('data', part => parts.push(part))
  await once(socket, 'data')
  while (Buffer.concat(parts).length < 5 + Buffer.concat(parts).readUInt16BE(3)) await once(socket, 'data')
  client.destroy()
  socket.destroy()
  server.close()
  return Buffer.concat(parts)
}

/** A line between client and gateway that passes the first flight of the client on as `cut` says. */
async function startLine(t: Test, port: number, cut: (flight: Buffer) => Iterable<Buffer>): Promise<number> {
  const line = createServer(client => {
    const server = connectTcp({ host: '127.0.0.1', port, noDelay: true })
    for (const one of [client, server]) one.on('error', () => undefined) // either end may go first
    t.teardown(() => server.destroy())
    let flight = Buffer.alloc(0)
    const gather = (part: Buffer) => {
      flight = Buffer.concat([flight, part])
      if (flight.length < 5 || flight.length < 5 + flight.readUInt16BE(3)) return
      client.off('data', gather).pause()
      void (async () => {
        for (const piece of cut(flight)) {
          server.write(piece)
          await new Promise(resolve => setImmediate(resolve))
        }
        client.pipe(server)
        server.pipe(client)
      })()
    }
    client.on('data', gather)
  }).listen(0, '127.0.0.1')
  t.teardown(() => line.close())
  await once(line, 'listening')
  return (line.address() as AddressInfo).port // listening on TCP: always an AddressInfo
}

function* byteByByte(flight: Buffer): Generator<Buffer> {
  for (const byte of flight) yield Buffer.of(byte)
}

/** The same message in records of `size` bytes each. */
const inRecords = (size: number) =>
  function* (flight: Buffer): Generator<Buffer> {
    const message = flight.subarray(5, 5 + flight.readUInt16BE(3))
    for (let at = 0; at < message.length; at += size) {
      const part = message.subarray(at, at + size)
      yield Buffer.concat([flight.subarray(0, 3), Buffer.of(part.length >> 8, part.length & 255), part])
    }
  }

t.test('a front door', async t => {
  const upstream = await startUpstream(t, ({ header }) => reply({ body: header('x-remote-user') ?? 'nobody' }))
  const gateway = await startTestGateway(t, {
    certificate: 'required',
    listener: 'limits: { handshake: 2 s }',
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
  })
  const alice = await gateway.authority.client('alice')
  /** Bytes in, all that comes back until it closes. */
  const talk = async (...pieces: (string | Buffer)[]): Promise<Buffer> => {
    const socket = connectTcp({ host: '127.0.0.1', port: gateway.port, noDelay: true })
    t.teardown(() => socket.destroy())
    socket.on('error', () => undefined) // a reset is an answer too
    const parts: Buffer[] = []
    socket.on('data', part => parts.push(part))
    await once(socket, 'connect')
    for (const piece of pieces) {
      socket.write(piece)
      await pause(5)
    }
    if (!socket.closed) await Promise.race([once(socket, 'close'), pause(4_000)])
    return Buffer.concat(parts)
  }
  const stillServes = async () => t.match(await gateway.ask('/', { client: alice }), { status: 200, text: 'alice' })

  await t.test('asks for a certificate however the ClientHello is cut', async t => {
    for (const [title, cut] of [
      ['byte by byte', byteByByte],
      ['in records of one byte', inRecords(1)],
      ['in records of 100 bytes', inRecords(100)],
    ] as const) {
      for (const groups of ['X25519MLKEM768', 'X25519']) {
        const port = await startLine(t, gateway.port, cut)
        const headers = { host: `localhost:${gateway.port}` }
        const tls = { host: '127.0.0.1', port, ecdhCurve: groups }
        for (const [client, status, text] of [
          [alice, 200, 'alice'],
          [undefined, 400, /client certificate is needed/],
        ] as const) {
          const answer = await gateway.ask('/', { ...(client === undefined ? {} : { client }), tls, headers })
          t.match(answer, { status, text }, `${title}, ${groups}, ${client === undefined ? 'nobody' : 'alice'}`)
        }
      }
    }
  })

  await t.test('tells plain HTTP to use https, also when it comes byte by byte', async t => {
    const before = upstream.received.length
    const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
    for (const pieces of [[request], [...request], ['POST /instances HTTP/1.1\r\n']]) {
      const answer = (await talk(...pieces)).toString()
      t.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
      t.match(answer, /use https:\/\/ instead of http:\/\//)
      t.ok(answer.length < 300, 'and no more than that')
    }
    t.equal(upstream.received.length, before, 'and nothing goes on to anybody')
  })

  await t.test('answers what is no handshake with an alert or silence, and goes on', async t => {
    const hello = await clientHello({ servername: 'localhost' })
    const sslv2 = Buffer.from(
      `802e0100020015000000100100800200800300800400800500800600400700c0${'00'.repeat(16)}`,
      'hex',
    )
    for (const [title, bytes] of [
      ['SSLv2', sslv2],
      ['random bytes', Buffer.from('\0\xff\xfe garbage'.repeat(50), 'latin1')],
      ['a lower-case word', Buffer.from('hello\r\n')],
      ['a record longer than any', Buffer.concat([Buffer.of(0x16, 3, 1, 0xff, 0xff), Buffer.alloc(2000, 1)])],
      ['an empty record', Buffer.concat([Buffer.of(0x16, 3, 1, 0, 0), hello])],
      ['application data first', Buffer.concat([Buffer.of(0x17, 3, 3, 0, 5), Buffer.from('hello')])],
      ['an alert first', Buffer.of(0x15, 3, 1, 0, 2, 2, 40)],
      ['a HELP of DICOM', Buffer.from('01000000004d0001', 'hex')],
    ] as const) {
      const answer = await talk(bytes)
      t.ok(answer.length === 0 || answer[0] === 0x15 || answer[0] === 0x16, `${title}: ${answer.length} bytes`)
      t.notMatch(answer.toString('latin1'), /HTTP/)
    }
    await stillServes()
  })

  await t.test('takes names that nobody has', async t => {
    const name = 'n'.repeat(60)
    const hello = await clientHello({ servername: name })
    const at = hello.indexOf(name)
    t.ok(at > 0)
    for (const written of [
      '__proto__'.padEnd(60, '.'),
      'constructor'.padEnd(60, '\0'),
      '\0'.repeat(60),
      '\xff'.repeat(60),
      `localhost${'\0'.repeat(51)}`,
      '.'.repeat(60),
      '*.example.org'.padEnd(60, ' '),
      '%00'.repeat(20),
    ]) {
      const forged = Buffer.from(hello)
      forged.write(written, at, 'latin1')
      const answer = await talk(forged)
      t.ok([0x15, 0x16].includes(answer[0] ?? 0), `${JSON.stringify(written.slice(0, 12))}… is answered in TLS`)
    }
    await stillServes()
  })

  await t.test('cuts a handshake that does not go on', async t => {
    const hello = await clientHello({ servername: 'localhost' })
    for (const pieces of [[], [hello.subarray(0, 1)], [hello.subarray(0, 40)], [hello]]) {
      const from = performance.now()
      await talk(...pieces)
      t.ok(performance.now() - from < 3_900, 'within its time')
    }
    await stillServes()
  })

  await t.test('does not renegotiate', async t => {
    const socket = connect({
      ...{ host: '127.0.0.1', port: gateway.port, servername: 'localhost', maxVersion: 'TLSv1.2' },
      ...{ ca: gateway.authority.caPem, cert: alice.chainPem, key: alice.keyPem },
    })
    t.teardown(() => socket.destroy())
    await once(socket, 'secureConnect')
    const failed = Promise.race([once(socket, 'error'), once(socket, 'close')])
    socket.renegotiate({}, () => undefined)
    await failed
    await stillServes()
  })
})
