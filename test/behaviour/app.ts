/**
 * A gateway in front of an upstream that a test directs, open to everyone, and ways to ask it that show how an answer ends.
 */
import { connect as connectHttp2 } from 'node:http2'
import type { Test } from 'tap'
import { type GatewayOptions, startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { type Respond, startUpstream, type Upstream, type UpstreamOptions } from '../fixture/upstream.ts'

export interface App {
  readonly upstream: Upstream
  readonly gateway: TestGateway
}

export interface AppOptions extends Partial<GatewayOptions>, Pick<UpstreamOptions, 'answerAt'> {
  /** YAML inside the upstream. */
  readonly settings?: string
  readonly kind?: 'generic' | 'orthanc' | 'omero-web'
}

export async function startApp(t: Test, respond?: Respond, options: AppOptions = {}): Promise<App> {
  const { settings = '', kind = 'generic', answerAt, yaml, ...rest } = options
  const upstream = await startUpstream(t, respond, answerAt === undefined ? {} : { answerAt })
  const gateway = await startTestGateway(t, {
    ...rest,
    yaml: `
upstreams: { app: { kind: ${kind}, url: "${upstream.url}"${settings === '' ? '' : `, ${settings}`} } }
${yaml ?? 'routes: [{ path: /, upstream: app, access: everyone }]'}`,
  })
  return { upstream, gateway }
}

export type Ending = 'whole' | 'cut'

export interface Ended {
  readonly status: number
  readonly ending: Ending
  /** How it was cut: a code of Node. */
  readonly how: string | undefined
  readonly bytes: Buffer
}

export const protocols = ['HTTP/1.1', 'HTTP/2'] as const

/** GET, and whether the client could believe that the answer is whole. */
export async function endingOf(
  { gateway }: Pick<App, 'gateway'>,
  path: string,
  protocol: (typeof protocols)[number],
): Promise<Ended> {
  return protocol === 'HTTP/1.1' ? await endingHttp1(gateway, path) : await endingHttp2(gateway, path)
}

async function endingHttp1(gateway: TestGateway, path: string): Promise<Ended> {
  const answer = await gateway.open(path).catch((error: NodeJS.ErrnoException) => error)
  // Cut so early that not even the head came.
  if (answer instanceof Error) return { status: 0, ending: 'cut', how: answer.code, bytes: Buffer.alloc(0) }
  const parts: Buffer[] = []
  const how = await new Promise<string | undefined>(resolve => {
    answer.on('data', (part: Buffer) => parts.push(part))
    answer.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    answer.once('end', () => resolve(undefined))
  })
  const ending = how === undefined && answer.complete ? 'whole' : 'cut'
  return { status: answer.statusCode ?? 0, ending, how, bytes: Buffer.concat(parts) }
}

async function endingHttp2(gateway: TestGateway, path: string): Promise<Ended> {
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  try {
    const stream = session.request({ ':path': path })
    const parts: Buffer[] = []
    let status = 0
    stream.once('response', headers => {
      status = Number(headers[':status'])
    })
    let how: string | undefined
    await new Promise<void>(resolve => {
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.once('error', (error: NodeJS.ErrnoException) => {
        how = error.code ?? error.message
      })
      stream.once('close', () => {
        if (stream.rstCode !== 0) how ??= `RST_STREAM ${stream.rstCode}`
        resolve()
      })
    })
    return { status, ending: how === undefined ? 'whole' : 'cut', how, bytes: Buffer.concat(parts) }
  } finally {
    session.destroy()
  }
}

/** Waits until `holds`, at most so long; resolves with whether it came true. */
export async function within(milliseconds: number, holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + milliseconds
  while (!(await holds())) {
    if (Date.now() > deadline) return false
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  return true
}
