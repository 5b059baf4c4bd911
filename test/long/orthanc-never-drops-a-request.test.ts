// A minute of requests that come just as Orthanc drops its idle connections: none of them fails.
import { connect as connectHttp2 } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { archiveTools, as, startArchive } from '../real/archive.ts'

t.test('960 requests in bursts between 0.65 and 1.1 seconds apart are all answered', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway } = await startArchive(t, 1)
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => session.destroy())
  const authorization = `Basic ${Buffer.from(as('reader')).toString('base64')}`
  // POST: it is never tried a second time, so a connection that closes under it would show.
  const ask = async () => {
    const stream = session.request({ ':method': 'POST', ':path': '/orthanc/tools/find', authorization })
    stream.end('{"Level":"Study","Query":{}}')
    const head = new Promise<number>(resolve => stream.once('response', headers => resolve(Number(headers[':status']))))
    await Array.fromAsync(stream)
    return await head
  }
  const answers: number[] = []
  for (let burst = 0; burst < 60; burst++) {
    await pause(650 + ((burst * 37) % 450))
    answers.push(...(await Promise.all(Array.from({ length: 16 }, ask))))
  }
  t.equal(answers.length, 960)
  t.same([...new Set(answers)], [200])
})
