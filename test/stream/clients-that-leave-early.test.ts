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

t.test('nonsense of somebody who is known is written down, and that of strangers is not', async t => {
  const upstream = await startTcpUpstream(t)
  const yaml = '{ protocol: dicom, access: everyone }'
  const stream = await startStream(t, { upstream: upstream.port, yaml, clients: 'optional' })
  const alice = await stream.authority.client('ct-1')
  for (const client of [alice, undefined]) {
    const line = await stream.open(client)
    await line.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    await stream.ended()
  }
  const told = stream.events.filter(({ kind }) => kind === 'stream-denial')
  t.match(told, [{ who: { name: 'ct-1' }, reason: 'not-an-association' }])
  t.equal(upstream.came.length, 0)
})
