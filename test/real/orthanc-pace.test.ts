// Orthanc has 50 threads and drops idle connections after a second: neither shows in front of the gateway.
import { createHash } from 'node:crypto'
import { connect as connectHttp2 } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { archiveTools, as, startArchive } from './archive.ts'

const authorization = (name: 'reader') => `Basic ${Buffer.from(as(name)).toString('base64')}`
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

t.test('100 frames asked for at once over one HTTP/2 connection all arrive, each with its own pixels', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway, orthanc, study } = await startArchive(t, 10, 256)
  const path = (uid: string) => `/dicom-web/studies/${study.uid}/series/${study.seriesUid}/instances/${uid}/frames/1`
  const accept = 'multipart/related; type="application/octet-stream"'
  // Each answer has a boundary of its own; what lies between is the frame.
  const pixels = (bytes: Buffer) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4).subarray(0, 256 * 256 * 2)
  const right = new Map<string, string>()
  for (const uid of study.instanceUids) {
    const answer = await fetch(`${orthanc.url}${path(uid)}`, { headers: { accept } })
    right.set(uid, sha256(pixels(Buffer.from(await answer.arrayBuffer()))))
  }
  t.equal(new Set(right.values()).size, 10, 'ten different frames')

  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => session.destroy())
  const ask = async (uid: string) => {
    const stream = session.request({ ':path': path(uid), accept, authorization: authorization('reader') })
    const head = new Promise<number>(resolve => stream.once('response', headers => resolve(Number(headers[':status']))))
    const bytes = Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>)) // no encoding is set
    return `${await head} ${sha256(pixels(bytes)) === right.get(uid) ? 'right' : 'WRONG'}`
  }
  const answers = await Promise.all(Array.from({ length: 100 }, (_, at) => ask(study.instanceUids[at % 10] ?? '')))
  t.same([...new Set(answers)], ['200 right'])
})

t.test('requests about a second apart never meet a connection that Orthanc is closing', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway } = await startArchive(t, 1)
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => session.destroy())
  // POST: it is never tried a second time, so a connection that closes under it would show.
  const ask = async () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/orthanc/tools/find',
      authorization: authorization('reader'),
    })
    stream.end('{"Level":"Study","Query":{}}')
    const head = new Promise<number>(resolve => stream.once('response', headers => resolve(Number(headers[':status']))))
    await Array.fromAsync(stream)
    return await head
  }
  const answers: number[] = []
  for (const wait of [0, 690, 710, 900, 980, 1_000, 1_020, 1_100]) {
    await pause(wait)
    // Several at once, so that several connections grow old together.
    answers.push(...(await Promise.all(Array.from({ length: 12 }, ask))))
  }
  t.same([...new Set(answers)], [200], `${answers.length} requests`)
})
