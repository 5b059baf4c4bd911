/**
 * What people and machines do at a gateway all day, each as one attempt that is repeated: it ends well, or throws.
 *
 * Bytes are compared with what was stored: a study under another's name is what must never be.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { WebSocket } from 'ws'
import { signIn, textOf } from '../cli/signed-in.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'
import { askSite } from '../fixture/site.ts'
import { stowBody } from '../real/archive.ts'
import { fillLogin, imageBrightness } from '../real/in-browser.ts'
import type { SoakedProcess } from './process-under-soak.ts'
import { WrongAnswer } from './tally.ts'

export interface Person {
  readonly uid: string
  readonly password: string
}

export interface Ward {
  readonly gate: SoakedProcess
  /** Somebody of the directory, in radiology. */
  readonly alice: Person
  /** A local account that may write. */
  readonly scanner: Person
  /** A study that lies in the archive from the beginning, with the hash of each frame by the UID of its instance. */
  readonly study: { readonly uid: string; readonly seriesUid: string; readonly frames: ReadonlyMap<string, string> }
  /** UIDs of instances that the gateway said are stored. */
  readonly stored: Set<string>
}

export const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const basic = ({ uid, password }: Person) => `Basic ${Buffer.from(`${uid}:${password}`).toString('base64')}`

function expectStatus(status: number | undefined, wanted: number, about: string): void {
  if (status !== wanted) throw new WrongAnswer(`${about}: ${status} instead of ${wanted}`)
}

/** Signs in with the directory, reads the study list, signs out, and is nobody afterwards. */
export async function signInAndOut({ gate, alice }: Ward): Promise<void> {
  const cookie = await signIn(gate.site, gate.served(), alice.uid, alice.password)
  const ask = (path: string) => askSite(gate.site, gate.served(), path, { headers: { cookie } })
  const list = await ask('/dicom-web/studies')
  const text = await textOf(list)
  expectStatus(list.statusCode, 200, 'the list of studies')
  if (!Array.isArray(JSON.parse(text))) throw new WrongAnswer('the list of studies is none')
  const form = await ask('/-/logout')
  const token = /name="token" value="([^"]+)"/.exec(await textOf(form))?.[1] ?? ''
  const ticket = (form.headers['set-cookie'] ?? []).map(line => line.split(';')[0])
  const out = await askSite(gate.site, gate.served(), '/-/logout', {
    method: 'POST',
    headers: {
      cookie: [cookie, ...ticket].join('; '),
      origin: gate.served().url,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token }).toString(),
  })
  out.resume()
  if (![200, 303].includes(out.statusCode ?? 0)) throw new WrongAnswer(`signing out: ${out.statusCode}`)
  const after = await ask('/dicom-web/studies')
  after.resume()
  expectStatus(after.statusCode, 401, 'a session that has ended')
}

let studies = 0

/** Stores a new study of three slices by Basic, and reads one of them back. */
export async function store({ gate, scanner, stored }: Ward): Promise<void> {
  const { studyUid, seriesUid, instances, instanceUids } = makeCtStudy({ slices: 3, size: 64, seed: 1_000 + ++studies })
  const { type, body } = stowBody(instances)
  const answer = await askSite(gate.site, gate.served(), '/dicom-web/studies', {
    method: 'POST',
    headers: { authorization: basic(scanner), 'content-type': type, 'content-length': String(body.length) },
    body: Readable.from([body.subarray(0, 5_000), body.subarray(5_000)]),
  })
  await textOf(answer)
  expectStatus(answer.statusCode, 200, 'storing')
  for (const uid of instanceUids) stored.add(uid)
  const path = `/dicom-web/studies/${studyUid}/series/${seriesUid}/instances/${instanceUids[0]}`
  const back = await askSite(gate.site, gate.served(), path, {
    headers: { authorization: basic(scanner), accept: 'multipart/related; type="application/dicom"' },
  })
  const bytes = Buffer.concat(await Array.fromAsync(back as AsyncIterable<Buffer>)) // no encoding is set
  expectStatus(back.statusCode, 200, 'reading back')
  if (!bytes.includes(instanceUids[0] ?? '-')) throw new WrongAnswer('what was read back is another instance')
}

const boundaryOf = (type: string) => /boundary="?([^";]+)/.exec(type)?.[1] ?? ''

/** The first part of a multipart body. */
function firstPart(bytes: Buffer, type: string): Buffer {
  const head = bytes.indexOf('\r\n\r\n')
  return bytes.subarray(head + 4, bytes.indexOf(`\r\n--${boundaryOf(type)}`, head))
}

async function readFrame(session: ClientHttp2Session, path: string, authorization: string): Promise<Buffer> {
  const stream = session.request({
    ':path': path,
    authorization,
    accept: 'multipart/related; type="application/octet-stream"',
  })
  // A connection that is closed without an error closes its streams without one.
  const { promise: gone, reject } = Promise.withResolvers<never>()
  gone.catch(() => undefined)
  stream.once('close', () => reject(new Error('the stream was closed before its answer')))
  const [headers] = await Promise.race([once(stream, 'response'), gone])
  const bytes = Buffer.concat(await Array.fromAsync(stream))
  expectStatus(Number(headers[':status']), 200, 'a frame')
  if (stream.rstCode !== 0) throw new Error(`reset with ${stream.rstCode}`)
  return firstPart(bytes, String(headers['content-type']))
}

/** All frames of the study at once over one HTTP/2 connection, as a viewer asks; half of them a second time, given up. */
export async function readFrames({ gate, alice, study }: Ward): Promise<void> {
  const session = connectHttp2(gate.served().url, { ca: gate.site.authority.caPem })
  try {
    await once(session, 'connect')
    session.on('error', () => undefined) // its streams tell
    const pathOf = (uid: string) =>
      `/dicom-web/studies/${study.uid}/series/${study.seriesUid}/instances/${uid}/frames/1`
    const asked = [...study.frames].map(async ([uid, hash]) => {
      const frame = await readFrame(session, pathOf(uid), basic(alice))
      if (hashOf(frame) !== hash) throw new WrongAnswer(`the frame of ${uid} has other bytes`)
    })
    for (const uid of [...study.frames.keys()].slice(0, study.frames.size / 2)) {
      const givenUp = session.request({ ':path': pathOf(uid), authorization: basic(alice) })
      givenUp.on('error', () => undefined)
      setTimeout(() => givenUp.close(8), 20)
    }
    const outcomes = await Promise.allSettled(asked)
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  } finally {
    session.destroy()
  }
}

/** A WebSocket that lives for some seconds, and says each message back. */
export async function talk({ gate, alice }: Ward): Promise<void> {
  const socket = new WebSocket(`${gate.served().url.replace('https:', 'wss:')}/socket`, {
    ca: gate.site.authority.caPem,
    headers: { authorization: basic(alice), origin: gate.served().url },
  })
  const { promise: ended, reject } = Promise.withResolvers<never>()
  ended.catch(() => undefined)
  socket.on('error', reject).on('close', code => reject(new Error(`closed with ${code}`)))
  try {
    await Promise.race([once(socket, 'open'), ended])
    for (let message = 0; message < 20; message++) {
      const text = `${message} ${'x'.repeat((message * 997) % 5_000)}`
      socket.send(text)
      const [back] = await Promise.race([once(socket, 'message'), ended])
      if (String(back) !== text) throw new WrongAnswer('another message came back')
      await pause(250)
    }
  } finally {
    socket.terminate()
  }
}

/** What must be turned away, between all the others: nobody, a wrong password, a path that can be read in two ways. */
export async function intrude({ gate, scanner }: Ward): Promise<void> {
  const tries: readonly [path: string, headers: Record<string, string>, status: number][] = [
    ['/dicom-web/studies', {}, 401],
    ['/dicom-web/studies', { 'x-remote-user': 'alice' }, 401],
    ['/dicom-web/%2e%2e/admin', { authorization: basic(scanner) }, 400],
    ['/orthanc/tools/reset', { authorization: basic(scanner) }, 403],
  ]
  for (const [path, headers, status] of tries) {
    const answer = await askSite(gate.site, gate.served(), path, { headers })
    answer.resume()
    expectStatus(answer.statusCode, status, path)
  }
}

/** A person with a browser of her own: signs in, opens the study in the real viewer, and sees the image. */
export async function browse({ gate, alice, study }: Ward, browser: Browser): Promise<void> {
  const { url } = gate.served()
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  try {
    const page = await context.newPage()
    const failures: string[] = []
    page.on('response', answer => {
      if (answer.status() >= 500) failures.push(`${answer.status()} ${answer.url()}`)
    })
    await page.goto(`${url}/viewer?StudyInstanceUIDs=${study.uid}`, { waitUntil: 'domcontentloaded' })
    const status = await fillLogin(page, alice.uid, alice.password)
    if (status !== 303) throw new WrongAnswer(`signing in: ${status}`)
    const bright = await imageBrightness(page)
    if (bright <= 300) throw new Error(`no image: ${bright}`)
    if (failures.length > 0) throw new WrongAnswer(failures.join(', '))
  } finally {
    await context.close()
  }
}
