/**
 * Holds what an upstream saw against what was sent to the gate, and against what the gate says that it has allowed.
 *
 * Not to forget: it looks at the upstream only. What a client was answered counts for one thing: behind an answer that
 * ends the connection nothing of it may arrive.
 */
import type { Received } from '../../fixture/received.ts'
import type { Malformed } from '../../fixture/upstream.ts'
import { carelessReadings, comparable } from './reading.ts'

/** One request that may arrive, once. */
export interface Permitted {
  readonly method: string
  readonly target: string
  readonly body: string
  readonly complete: boolean
  /** `name: value`, names in lower case. */
  readonly fields: ReadonlySet<string>
  /** Where it ends in the bytes of the connection: what stands behind may arrive in a tunnel. */
  readonly end: number
}

/** What was sent on one connection, and what came back. */
export interface Sent {
  readonly connection: number
  /** How many were sent, readable or not. */
  readonly requests: number
  /** latin1 */
  readonly bytes: string
  /** For people: the bytes, or what the frames said. */
  readonly shown: string
  readonly permitted: readonly Permitted[]
  /** How many of them stand before, or at, the answer that ends the connection. */
  readonly until: number
}

/** What the gate says that it has allowed, by the X-Request-Id that it gave. */
export interface Authorised {
  readonly method: string
  readonly path: string
}

export interface Seen {
  readonly received: readonly Received[]
  readonly malformed: readonly Malformed[]
  /** Bytes of tunnels, by the target of their handshake. */
  readonly tunnels: ReadonlyMap<string, string>
}

export const kinds = {
  smuggled: 'a request that the gate never judged, and nobody sent as one',
  unreadable: 'arrived although it could not be read, or not for sure',
  altered: 'another method, path, body or field than was sent',
  twice: 'arrived more than once',
  ambiguous: 'arrived in bytes that servers read differently',
  unauthorised: 'another method or path than was judged, or never judged',
  behind: 'arrived behind what could not be read, or was refused with the end of the connection',
  fault: 'the gate crashed, met a bug, or no longer answers',
} as const
export type Kind = keyof typeof kinds

export interface Finding {
  readonly kind: Kind
  readonly about: string
  readonly connection: number | undefined
}

/** Every byte that is no letter or sign, as an escape. @param text  one character for each byte */
export const show = (text: string, most = 1_500): string =>
  JSON.stringify(text.slice(0, most)).replace(/[\x7f-\xff]/g, char => `\\x${char.charCodeAt(0).toString(16)}`)

/** Fields that a gate makes, takes out or joins. */
const ofTheGate =
  /^(host|connection|content-length|transfer-encoding|cookie|x-forwarded-[a-z]+|forwarded|x-request-id|upgrade|expect|te|keep-alive)$/

export function judge(
  sent: readonly Sent[],
  { received, malformed, tunnels }: Seen,
  authorised: ReadonlyMap<string, Authorised>,
  samePath: (judged: string, target: string) => boolean,
): Finding[] {
  const findings: Finding[] = []
  const find = (kind: Kind, about: string, connection?: number) => void findings.push({ kind, about, connection })
  const byRequest = new Map<string, { readonly one: Permitted; readonly from: Sent; readonly place: number }[]>()
  for (const from of sent)
    for (const [place, one] of from.permitted.entries()) {
      const key = `${one.method} ${one.target}`
      byRequest.set(key, [...(byRequest.get(key) ?? []), { one, from, place }])
    }
  const used = new Set<Permitted>()
  const ids = new Set<string>()

  for (const { why, bytes } of malformed)
    find('ambiguous', `${why}: ${show(bytes.toString('latin1'))}`, connectionIn(bytes.toString('latin1')))
  for (const request of received) {
    const arrived = `${request.method} ${comparable(request.target)}`
    const body = request.body.toString('latin1')
    const known = byRequest.get(arrived) ?? []
    const connection = known[0]?.from.connection ?? connectionIn(request.rawHead)
    const about = `${show(request.rawHead)} with ${show(body)}`
    const id = request.header('x-request-id') ?? ''
    const judged = authorised.get(id)

    const readings = carelessReadings(request)
    if (readings.length > 1) find('ambiguous', `${readings.join(' or ')}: ${about}`, connection)
    const fits = known.filter(({ one }) => bodyFits(request, body, one))
    const free = fits.filter(({ one }) => !used.has(one))
    const strangeTo = (one: Permitted) =>
      request.rawHeaders.filter(([name, value]) => isStrange(name.toLowerCase(), value, one))
    // Chance makes some requests of several connections alike, but for their fields.
    const match = free.find(({ one }) => strangeTo(one).length === 0) ?? free[0]
    if (match !== undefined) {
      used.add(match.one)
      if (match.place >= match.from.until) find('behind', about, connection)
      const strange = strangeTo(match.one)
      if (strange.length > 0)
        find('altered', `field ${strange.map(field => show(field.join(': ')))}: ${about}`, connection)
    } else if (fits.length > 0) find('twice', about, connection)
    else if (known.length > 0) find('altered', `the body: ${about}`, connection)
    else if (judged === undefined) find('smuggled', about, connection)
    else if (/^\/(smuggled|behind)\//.test(request.target)) find('behind', about, connection)
    else find(hasSent(sent, connection, request) ? 'altered' : 'unreadable', about, connection)

    const same = judged?.method === request.method && samePath(judged.path, request.target)
    if (!same || ids.has(id))
      find('unauthorised', `${ids.has(id) ? 'again ' : ''}${JSON.stringify(judged)}: ${about}`, connection)
    ids.add(id)
  }
  for (const [target, bytes] of tunnels) {
    const { one, from } = byRequest.get(`GET ${comparable(target)}`)?.[0] ?? {}
    const behind = from?.bytes.slice(one?.end)
    if (behind?.startsWith(bytes) !== true) find('altered', `a tunnel: ${show(bytes)}`, from?.connection)
  }
  return findings
}

/** What was cut off on its way may arrive as far as it came, but never as a whole. */
const bodyFits = ({ complete }: Received, body: string, one: Permitted): boolean =>
  complete ? one.complete && body === one.body : one.body.startsWith(body)

/** Not sent, and none that a gate may make. Several of one name may have become a list (RFC 9110 5.3). */
const isStrange = (name: string, value: string, { fields }: Permitted): boolean =>
  !ofTheGate.test(name) &&
  !fields.has(`${name}: ${value}`) &&
  !value.split(', ').every(part => fields.has(`${name}: ${part}`))

/** The connection that a marker tells of. */
export const connectionIn = (text: string): number | undefined => {
  const [, connection] = /zz\d+y(\d+)y\d+zz/.exec(text) ?? []
  return connection === undefined ? undefined : Number(connection)
}

/** Whether the same marker was sent in a request that may arrive. */
function hasSent(sent: readonly Sent[], connection: number | undefined, { rawHead }: Received): boolean {
  const [marker] = /zz\d+y\d+y\d+zz/.exec(rawHead) ?? []
  const from = sent.find(one => one.connection === connection)
  return marker !== undefined && from?.permitted.some(({ target }) => target.includes(marker)) === true
}
