// A client that closes before it has said who it is leaves no place taken.
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { startStream } from '../fixture/stream.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'

t.test('of DICOM, before the association was asked for', async t => {
  const upstream = await startTcpUpstream(t)
  for (const clients of ['optional', undefined] as const) {
    const stream = await startStream(t, {
      upstream: upstream.port,
      yaml: '{ protocol: dicom, access: everyone, limits: { connections: 8, associate: 5 s, idle: 5 s } }',
      ...(clients === undefined ? {} : { clients }),
    })
    for (const bytes of ['', '\x01\x00', '\x01\x00\x00\x00\x00\xff half of it']) {
      for (let at = 0; at < 8; at++) {
        const client = await stream.open()
        if (bytes !== '') await client.write(Buffer.from(bytes, 'latin1'))
        client.socket.end()
      }
      t.ok(await within(4_000, () => [...stream.bound.sockets()].length === 0), `${clients}: ${JSON.stringify(bytes)}`)
    }
  }
  t.equal(upstream.came.length, 0)
})
