/**
 * Everything that a person can have running at one time: a WebSocket, and a download and an upload over either HTTP.
 *
 * The upstream sends /download without haste, takes /upload and says nothing before its end, and echoes on /socket.
 */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import type { Ask, TestGateway } from '../fixture/gateway.ts'
import type { Respond } from '../fixture/upstream.ts'
import { json, trickle, upgradeEcho } from '../fixture/upstream-answers.ts'
import { within } from './app.ts'

export const respondToRunning: Respond = ({ target }) =>
  target.endsWith('/socket')
    ? upgradeEcho()
    : target.endsWith('/download')
      ? trickle('x'.repeat(10_000), 50)
      : json({ got: 'it all' })

export interface Running {
  readonly what: string
  readonly isOpen: () => boolean
  /** Its end could be taken for a good one. */
  readonly looksWhole: () => boolean
}

export interface AllRunning {
  readonly all: readonly Running[]
  readonly socket: WebSocket
  /** Code and reason, once it was closed. */
  readonly goodbye: () => readonly [code: number, reason: string] | undefined
  /** Whether all of it ended in time, and nothing of it looks whole. */
  seeEnded(t: Test, milliseconds: number): Promise<void>
  seeOpen(t: Test): void
}

/** Bytes without end, a few at a time. */
const slowly = () =>
  Readable.from(
    (async function* () {
      for (;;) {
        yield Buffer.alloc(100, 'u')
        await pause(50)
      }
    })(),
  )

export async function startRunning(
  t: Test,
  { url, port, authority: { caPem: ca } }: Pick<TestGateway, 'url' | 'port' | 'authority'>,
  { cookie, basic, client }: Pick<Ask, 'cookie' | 'basic' | 'client'>,
  under = '',
): Promise<AllRunning> {
  const headers = {
    host: `localhost:${port}`,
    origin: url,
    ...(cookie === undefined ? {} : { cookie }),
    ...(basic === undefined ? {} : { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }),
  }
  const tls = { ca, servername: 'localhost', ...(client && { cert: client.chainPem, key: client.keyPem }) }
  const all: Running[] = []

  const overHttp1 = async (path: string, method: string) => {
    let [isOpen, looksWhole] = [true, false]
    const sent = request({ ...tls, host: '127.0.0.1', port, agent: false, path: `${under}${path}`, method, headers })
    const over = () => {
      isOpen = false
    }
    sent.on('error', over).once('close', over)
    t.teardown(() => sent.destroy())
    sent.on('response', answer => {
      answer.on('error', over).on('data', () => undefined)
      answer.once('end', () => {
        looksWhole = answer.complete
      })
    })
    all.push({ what: `${method} over HTTP/1.1`, isOpen: () => isOpen, looksWhole: () => looksWhole })
    if (method === 'POST') slowly().pipe(sent)
    else await once(sent.end(), 'response')
  }
  const line = connectHttp2(`https://127.0.0.1:${port}`, tls)
  line.on('error', () => undefined) // told by its streams
  t.teardown(() => line.destroy())
  const overHttp2 = async (path: string, method: string) => {
    let [isOpen, looksWhole] = [true, false]
    const { host, ...rest } = headers
    const pseudo = { ':path': `${under}${path}`, ':method': method, ':authority': host }
    const stream = line.request({ ...pseudo, ...rest }, { endStream: method !== 'POST' })
    stream.on('error', () => undefined).on('data', () => undefined)
    stream.once('close', () => {
      isOpen = false
      looksWhole = stream.rstCode === 0 && !line.destroyed
    })
    all.push({ what: `${method} over HTTP/2`, isOpen: () => isOpen, looksWhole: () => looksWhole })
    if (method === 'POST') slowly().pipe(stream)
    else await once(stream, 'response')
  }
  for (const over of [overHttp1, overHttp2]) {
    await over('/download', 'GET')
    await over('/upload', 'POST')
  }

  const socket = new WebSocket(`${url.replace('https:', 'wss:')}${under}/socket`, { ...tls, headers })
  t.teardown(() => socket.terminate())
  let goodbye: readonly [number, string] | undefined
  socket.on('error', () => undefined) // told by its close
  socket.once('close', (code, reason) => {
    goodbye = [code, String(reason)]
  })
  await once(socket, 'open')
  all.push({
    what: 'a WebSocket',
    isOpen: () => socket.readyState === WebSocket.OPEN,
    looksWhole: () => goodbye?.[0] === 1000,
  })
  return {
    ...{ all, socket, goodbye: () => goodbye },
    async seeEnded(t, milliseconds) {
      const deadline = Date.now() + milliseconds
      for (const { what, isOpen, looksWhole } of all) {
        t.ok(await within(deadline - Date.now(), () => !isOpen()), `${what} has ended`)
        t.equal(looksWhole(), false, `and does not look whole: ${what}`)
      }
      await within(1_000, () => goodbye !== undefined)
    },
    seeOpen(t) {
      for (const { what, isOpen } of all) t.ok(isOpen(), `${what} of somebody else goes on`)
    },
  }
}
