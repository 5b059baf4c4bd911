/**
 * What happens on a connection before TLS: who has sent it, its place and its deadline, and its first bytes.
 *
 * Where a proxy of layer 4 stands in front (`proxyProtocol: v2`), nobody else is listened to, and each connection begins
 * with the header that says who is calling; from then on that address is the client's, here and everywhere (addressOf).
 * Plain HTTP is told to use https, in one short answer.
 */
import type { Socket } from 'node:net'
import { announce, plainAddress } from './client-address.ts'
import { sayLast } from './last-words.ts'
import { createPlaces, handshakePlacesOf, type NoRoom, type Places } from './places.ts'
import { readProxyHeader } from './proxy-header.ts'
import type { DoorParts, DoorTrouble } from './tls-door.ts'

export interface ReceptionParts {
  readonly door: Pick<DoorParts, 'limits' | 'isProxied' | 'isProxy' | 'trouble'>
  /** Those for connections whose handshake is over. */
  readonly places: Pick<Places, 'refusal'>
  readonly turnAway: (why: DoorTrouble, address: string, socket: Socket, detail?: string) => void
  /** The handshake begins; nothing has been read that is not in its buffer again. */
  readonly shakeHands: (raw: Socket) => void
}

export interface Reception {
  enter(raw: Socket): void
  /** The connection that this TLS socket has come by. Undefined: it is gone. */
  rawOf(socket: Socket): Socket | undefined
  /** The handshake is over: neither place nor deadline is needed any more. */
  settle(socket: Socket): void
  /** Ends all whose handshake is not over. */
  cut(): void
}

/** No version of TLS or SSL begins with a capital letter, and every method of HTTP does. */
const isPlainHttp = ([first = 0]: Buffer): boolean => first >= 0x41 && first <= 0x5a

const useHttps = 'This port speaks TLS only: use https:// instead of http://\n'
const plainAnswer = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: ${useHttps.length}\r\n\r\n${useHttps}`

/** All four: through one address translation, two connections differ in where they lead only. */
const originOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`

/** @param take  gets what has come, or undefined when the other side has ended */
function whenBytesCome(raw: Socket, take: (bytes: Buffer | undefined) => void): void {
  raw.once('readable', () => {
    const bytes: unknown = raw.read()
    take(Buffer.isBuffer(bytes) ? bytes : undefined)
  })
}

export function createReception({ door, places, turnAway, shakeHands }: ReceptionParts): Reception {
  const handshakePlaces = createPlaces(() => handshakePlacesOf(door.limits()), door.isProxy)
  /** Connections whose handshake is not over, by where they come from: TLS hands out no socket for them yet. */
  const shaking = new Map<string, { readonly raw: Socket; readonly settle: () => void }>()

  /** Undefined: it was turned away. */
  function placeFor(raw: Socket, address: string) {
    // Where there will be no room after the handshake, it need not be made.
    const place =
      places.refusal(address) ??
      handshakePlaces.take(address, () =>
        turnAway('let-go', address, raw, 'an unfinished handshake made room for another'),
      )
    if (typeof place !== 'string') return place
    const none: NoRoom = place
    turnAway(none, address, raw)
    return undefined
  }

  function enter(raw: Socket) {
    raw.on('error', () => undefined) // told by 'close'
    if (raw.remoteAddress === undefined) return void raw.destroy() // gone already
    const from = originOf(raw)
    let address = plainAddress(raw.remoteAddress)
    let isAnnounced = !door.isProxied()
    if (!isAnnounced && !door.isProxy(address))
      return turnAway('no-proxy', address, raw, 'it comes from none of trustedProxies')
    let place = placeFor(raw, address)
    if (place === undefined) return
    const deadline = setTimeout(() => {
      if (isAnnounced) door.trouble('handshake', address, 'ERR_TLS_HANDSHAKE_TIMEOUT')
      else door.trouble('proxy-header', address, 'no whole PROXY header came in time')
      raw.destroy()
    }, door.limits().handshake)
    const known = {
      raw,
      settle() {
        clearTimeout(deadline)
        place?.leave()
        if (shaking.get(from) === known) shaking.delete(from)
      },
    }
    shaking.set(from, known)
    raw.once('close', known.settle)

    function begin(first: Buffer | undefined) {
      if (first === undefined) return void raw.destroy() // it closed without a byte
      if (isPlainHttp(first)) {
        // It keeps its place until it has hung up.
        clearTimeout(deadline)
        door.trouble('plain-http', address, 'a request without TLS')
        raw.resume()
        sayLast(raw, plainAnswer)
        return
      }
      raw.unshift(first)
      shakeHands(raw)
    }
    function readHeader(before: Buffer, more: Buffer | undefined) {
      // A balancer that only looks whether somebody listens says nothing.
      if (more === undefined && before.length === 0) return void raw.destroy()
      const bytes = Buffer.concat([before, more ?? Buffer.alloc(0)])
      const header = readProxyHeader(bytes)
      if (header.kind === 'refused') return turnAway('proxy-header', address, raw, header.why)
      if (header.kind === 'partial') {
        if (more === undefined) return turnAway('proxy-header', address, raw, 'it ended within its PROXY header')
        return whenBytesCome(raw, next => readHeader(bytes, next))
      }
      isAnnounced = true
      if (header.kind === 'client') {
        ;({ address } = header)
        announce(raw, address)
        place?.leave()
        place = placeFor(raw, address)
        if (place === undefined) return
      }
      if (bytes.length > header.length) begin(bytes.subarray(header.length))
      else whenBytesCome(raw, begin)
    }
    if (isAnnounced) whenBytesCome(raw, begin)
    else whenBytesCome(raw, first => readHeader(Buffer.alloc(0), first))
  }

  return {
    enter,
    rawOf: socket => shaking.get(originOf(socket))?.raw,
    settle: socket => shaking.get(originOf(socket))?.settle(),
    cut() {
      for (const { raw } of shaking.values()) raw.destroy()
    },
  }
}
