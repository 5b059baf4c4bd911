/**
 * The bound addresses: listeners, streams and redirects, and how they follow the configuration through reloads.
 *
 * New addresses are bound before anything else changes, so that a reload that cannot bind has changed nothing. An address
 * that stays is never let go, not for a moment: only its terms change. What is gone drains beside what is new.
 */
import type { TLSSocket } from 'node:tls'
import type { PlainListener, SecureListener } from './config/listener.ts'
import type { Config } from './config/schema.ts'
import type { StreamSection } from './config/stream.ts'
import { type ChallengeAnswer, listenPlain, type RedirectTarget } from './listener/plain-listener.ts'
import { type Bound, listenSecure, type SecureBound, type SecureEvents } from './listener/secure-listener.ts'
import type { Materials } from './preflight.ts'
import { type BoundStream, listenStream, type StreamParts } from './stream/stream-listener.ts'
import { type ServerTrust, trustKey, unusable } from './tls/server-context.ts'

export interface EntranceParts {
  readonly listenerEvents: SecureEvents
  readonly streamParts: (name: string) => StreamParts
  readonly challenge: ChallengeAnswer
}

type Entrance =
  | { readonly kind: 'plain'; readonly bind: string; readonly bound: Bound }
  | { readonly kind: 'secure'; readonly bind: string; readonly bound: SecureBound; terms: string }
  | { readonly kind: 'stream'; readonly bind: string; readonly bound: BoundStream; terms: string }

/** What the configuration says of one entrance. */
type Wanted =
  | { readonly kind: 'plain'; readonly name: string; readonly section: PlainListener }
  | { readonly kind: 'secure'; readonly name: string; readonly section: SecureListener; readonly trust: ServerTrust }
  | { readonly kind: 'stream'; readonly name: string; readonly section: StreamSection; readonly trust: ServerTrust }

/** A connection whose handshake is over, and where it came in. */
export interface Entered {
  readonly kind: 'listeners' | 'streams'
  readonly name: string
  readonly socket: TLSSocket
}

/** From one state of the configuration to the next. */
export interface Step {
  /** Asked when whatever could fail has gone well. */
  agree(): Promise<void>
  change(): void
}

export interface Entrances extends AsyncDisposable {
  readonly bound: readonly Pick<Bound, 'name' | 'urls'>[]
  /**
   * Binds what is new, calls `change`, and holds what stays to the new terms. Rejects before `change` when an address
   * cannot be bound, or not all agree; then everything is as before.
   */
  follow(config: Config, materials: Materials, step?: Step): Promise<void>
  sockets(): Iterable<Entered>
  drain(milliseconds: number): Promise<void>
}

function* wantedBy({ listeners, streams }: Config, materials: Materials): Generator<Wanted> {
  // Redirects come last: they ask the others for their ports.
  for (const [name, section] of Object.entries(listeners)) {
    const trust = materials.listeners.get(name)
    if (section.kind === 'secure' && trust !== undefined) yield { kind: 'secure', name, section, trust }
  }
  for (const [name, section] of Object.entries(streams)) {
    const trust = materials.streams.get(name)
    if (trust !== undefined) yield { kind: 'stream', name, section, trust }
  }
  for (const [name, section] of Object.entries(listeners)) {
    if (section.kind === 'plain') yield { kind: 'plain', name, section }
  }
}

/** What an entrance must keep to go on as it is. */
const placeOf = ({ section }: Wanted) =>
  JSON.stringify([section.bind, 'protocol' in section ? section.protocol : undefined])
const keyOf = ({ kind, name }: Wanted) => `${kind} ${name}`
const termsOf = ({ section, trust }: Extract<Wanted, { trust: unknown }>) =>
  `${JSON.stringify(section)}${trustKey(trust)}`

export function createEntrances(parts: EntranceParts): Entrances {
  const entrances = new Map<string, Entrance>()
  const leaving = new Map<Entrance, Promise<void>>()
  let redirects: Readonly<Record<string, { target: string; publicOrigin: string | undefined }>> = {}

  const redirectOf = (name: string): RedirectTarget => ({
    get publicOrigin() {
      return redirects[name]?.publicOrigin
    },
    get port() {
      const [url = 'https://localhost'] = entrances.get(`secure ${redirects[name]?.target}`)?.bound.urls ?? []
      return Number(new URL(url).port || 443)
    },
  })
  async function open(wanted: Wanted): Promise<Entrance> {
    const bind = placeOf(wanted)
    const { name } = wanted
    if (wanted.kind === 'plain') {
      const { trouble } = parts.listenerEvents
      const bound = await listenPlain(name, wanted.section, redirectOf(name), parts.challenge, (kind, address) =>
        trouble(name, kind, address, 'on a listener that redirects'),
      )
      return { kind: 'plain', bind, bound }
    }
    const terms = termsOf(wanted)
    if (wanted.kind === 'secure') {
      const bound = await listenSecure(name, wanted.section, wanted.trust, parts.listenerEvents)
      return { kind: 'secure', bind, bound, terms }
    }
    const bound = await listenStream(name, wanted.section, wanted.trust, parts.streamParts(name))
    return { kind: 'stream', bind, bound, terms }
  }
  function hold(entrance: Entrance, wanted: Wanted) {
    if (wanted.kind === 'plain' || entrance.kind === 'plain') return
    const terms = termsOf(wanted)
    if (terms === entrance.terms) return
    if (wanted.kind === 'secure' && entrance.kind === 'secure') entrance.bound.replace(wanted.section, wanted.trust)
    if (wanted.kind === 'stream' && entrance.kind === 'stream') entrance.bound.replace(wanted.section, wanted.trust)
    entrance.terms = terms
  }
  function leave(entrance: Entrance, milliseconds: number) {
    const { bound } = entrance
    const left = bound.drain(milliseconds).then(() => bound[Symbol.asyncDispose]())
    leaving.set(entrance, left)
    void left.finally(() => leaving.delete(entrance))
  }

  return {
    get bound() {
      return [...entrances.values()].map(({ bound }) => bound)
    },
    async follow(config, materials, step) {
      const wanted = new Map([...wantedBy(config, materials)].map(one => [keyOf(one), one]))
      // Whatever could fail fails here, before anything has changed.
      for (const one of wanted.values()) {
        const broken = one.kind === 'plain' ? undefined : unusable(one.trust)
        if (broken !== undefined) throw new Error(`${one.name}: ${broken.why}`)
      }
      const stays = (key: string, one: Wanted) => entrances.get(key)?.bind === placeOf(one)
      await using fresh = new AsyncDisposableStack()
      const opened = new Map<string, Entrance>()
      for (const [key, one] of wanted) {
        if (stays(key, one)) continue
        const entrance = await open(one)
        fresh.use(entrance.bound)
        opened.set(key, entrance)
      }
      await step?.agree()
      fresh.move()

      redirects = Object.fromEntries(
        Object.entries(config.listeners).flatMap(([name, section]) => {
          if (section.kind !== 'plain') return []
          const target = config.listeners[section.redirect]
          const publicOrigin = target?.kind === 'secure' ? target.publicUrl?.origin : undefined
          return [[name, { target: section.redirect, publicOrigin }]]
        }),
      )
      step?.change()
      for (const [key, entrance] of entrances) {
        const one = wanted.get(key)
        if (one !== undefined && !opened.has(key)) hold(entrance, one)
        else leave(entrance, config.drain)
        if (one === undefined) entrances.delete(key)
      }
      for (const [key, entrance] of opened) entrances.set(key, entrance)
    },
    *sockets() {
      // Those that are on their way out are still used.
      for (const { kind, bound } of [...entrances.values(), ...leaving.keys()]) {
        if (kind === 'plain') continue
        for (const socket of bound.sockets())
          yield { kind: kind === 'secure' ? 'listeners' : 'streams', name: bound.name, socket }
      }
    },
    async drain(milliseconds) {
      await Promise.all([...entrances.values()].map(({ bound }) => bound.drain(milliseconds)))
      await Promise.all(leaving.values())
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...entrances.values(), ...leaving.keys()].map(({ bound }) => bound[Symbol.asyncDispose]()))
    },
  }
}
