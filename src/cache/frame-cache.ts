/**
 * An upstream with a cache of frames before it.
 *
 * It is asked behind the permit, like the upstream itself: each asker has passed policy for this very path, and an entry
 * holds nothing but what the upstream says to nobody in particular. Where anything is unclear a request goes past.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../kernel/clock.ts'
import { every } from '../kernel/every.ts'
import type { News } from '../kernel/news.ts'
import { type HeaderList, headerValues } from '../listener/exchange.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../upstream/upstream.ts'
import { type Cacheable, cacheableOf } from './cacheable.ts'
import { type Change, changeOf } from './changes.ts'
import { type DiskStore, openDiskStore } from './disk-store.ts'
import { Flight, type FlightTerms } from './flight.ts'
import { createFrameStore, isOld, type Lent } from './frame-store.ts'

export interface CacheParts {
  readonly metrics: Pick<Metrics, 'cacheAnswers' | 'cacheFills' | 'cacheBytes'>
  readonly clock: Clock
  readonly settled: { readonly state: string }
  /** Of what was changed through another process. */
  readonly news?: News | undefined
}

/** Bytes of one frame: a mammogram has 30 MB. */
const largestFrame = 64 * 1024 ** 2
/** Nothing is kept for so long after a change that broke off: it may go on behind the gate. Milliseconds. */
const unsureFor = 60_000

/**
 * What the upstream said, and a strong validator: random, so that nobody guesses it, and another one for each entry, since
 * Orthanc writes a new boundary into each answer.
 */
function entryHeaders(headers: HeaderList, length: number, revalidate: boolean): HeaderList {
  const replaced = new Set(['content-length', 'date', 'age', 'etag', 'last-modified', 'expires'])
  if (revalidate) replaced.add('cache-control')
  return [
    ...headers.filter(([name]) => !replaced.has(name)),
    ['content-length', String(length)],
    ['etag', `"${randomBytes(16).toString('base64url')}"`],
    ...(revalidate ? ([['cache-control', 'private, no-cache']] as const) : []),
  ]
}

/** RFC 9110 15.4.5. */
const saidOfUnchanged = new Set(['etag', 'cache-control', 'content-location', 'vary'])

/** Whether the validator of an entry is among those that a client has. Source: RFC 9110 13.1.2 (weak comparison). */
function isNamed(headers: HeaderList, ifNoneMatch: string): boolean {
  const own = headerValues(headers, 'etag')[0]
  return ifNoneMatch.split(',').some(tag => /^(?:W\/)?(.*)$/.exec(tag.trim())?.[1] === own || tag.trim() === '*')
}

/** A change that was made, for all processes. */
interface Told {
  readonly change: Exclude<Change, 'nothing'>
  /** It broke off, and may go on behind the gate. */
  readonly isUnsure: boolean
}

/** With the cache that its section asks for, if it does. @param upstream  owned from now on: closed with the cache */
export function withFrameCache(
  upstream: Upstream,
  { metrics, clock, settled, news }: CacheParts,
  warn: (text: string) => void,
): Upstream {
  const { name, section } = upstream
  if (section.cache === undefined) return upstream
  const { memory, disk: diskLimit, maxAge, browsers } = section.cache
  const now = () => clock.now()
  const told = {
    answered: (how: NonNullable<UpstreamResponse['cache']>) => metrics.cacheAnswers.inc({ upstream: name, how }),
    holds() {
      metrics.cacheBytes.set({ upstream: name, place: 'memory' }, store.used)
      if (disk !== undefined) metrics.cacheBytes.set({ upstream: name, place: 'disk' }, disk.used)
    },
  }
  const disk =
    diskLimit === undefined
      ? undefined
      : openDiskStore({ folder: settled.state, limit: diskLimit, isOld: terms => isOld(terms, now()), warn })
  const store = createFrameStore(memory, now, (frame, terms) => disk?.put(frame, terms))
  /** Frames that are being read from the disk. */
  const readings = new Map<string, Promise<void>>()
  const flights = new Map<string, Flight>()
  let unsureSince: number | undefined
  const flightTerms: FlightTerms = {
    send: request => upstream.send(request),
    store,
    largest: Math.min(largestFrame, Math.floor(memory / 8)),
    maxAge,
    now,
    headersOf: (headers, length) => entryHeaders(headers, length, browsers === 'revalidate'),
    isUnsure: () => unsureSince !== undefined && Math.abs(now() - unsureSince) < unsureFor,
    filled: outcome => {
      metrics.cacheFills.inc({ upstream: name, outcome })
      told.holds()
    },
  }
  const sweeps = every(Math.min(maxAge, 10_000), () => {
    store.sweep()
    disk?.sweep()
    told.holds()
  })

  function forget(change: Exclude<Change, 'nothing'>): void {
    const concerns = ({ study }: { readonly study: string | undefined }) =>
      change === 'everything' || study === undefined || study === change.study
    store.forgetWhere(concerns)
    disk?.forgetWhere(concerns)
    for (const flight of [...flights.values()]) if (concerns(flight)) flight.spoil()
    told.holds()
  }

  const topic = `frames of ${name}`
  function heard({ change, isUnsure }: Told) {
    if (isUnsure) unsureSince = now()
    forget(change)
  }
  const hearing = news?.hear(topic, text => heard(JSON.parse(text) as Told)) // another process of ours has said it

  async function changed(request: UpstreamRequest, change: Exclude<Change, 'nothing'>): Promise<UpstreamResponse> {
    forget(change)
    let isUnsure = true
    try {
      const answer = await upstream.send(request)
      isUnsure = false
      return answer
    } finally {
      // What was asked for meanwhile may be from before. Whoever made the change finds it in no process.
      const told: Told = { change, isUnsure }
      heard(told)
      await news?.tell(topic, JSON.stringify(told))
    }
  }

  async function past(request: UpstreamRequest): Promise<UpstreamResponse> {
    told.answered('past')
    return { ...(await upstream.send(request)), cache: 'past' }
  }

  function handOut(
    { frame, release, formOf }: Lent,
    how: 'hit' | 'miss',
    { ifNoneMatch }: Cacheable,
  ): UpstreamResponse {
    told.answered(how)
    if (ifNoneMatch !== undefined && isNamed(frame.headers, ifNoneMatch)) {
      release()
      const headers = frame.headers.filter(([header]) => saidOfUnchanged.has(header))
      return { status: 304, headers, closeDelimited: false, body: Buffer.alloc(0), cache: how }
    }
    return { status: 200, headers: frame.headers, closeDelimited: false, body: frame.body, cache: how, release, formOf }
  }

  async function fill(request: UpstreamRequest, cacheable: Cacheable): Promise<UpstreamResponse> {
    const { key } = cacheable
    const joined = flights.get(key)
    const flight = joined ?? new Flight(cacheable, flightTerms, () => void flights.delete(key))
    if (joined === undefined) flights.set(key, flight)
    const landing = await flight.join(request)
    if (landing === 'alone') return await past(request)
    if ('lent' in landing) return handOut(landing.lent, landing.first ? 'miss' : 'hit', cacheable)
    told.answered('past')
    return { ...landing.answer, cache: 'past' }
  }

  async function readBack(key: string, from: DiskStore): Promise<void> {
    const found = await from.find(key)
    // What came meanwhile is newer, and what was forgotten meanwhile is no answer any more.
    if (!found?.isCurrent() || store.has(key) || !store.promise(found.frame.body.length)) return
    store.keep(found.frame, found.terms, true).release()
  }
  async function fromDisk(key: string, from: DiskStore): Promise<Lent | undefined> {
    const reading = readings.get(key) ?? readBack(key, from).finally(() => readings.delete(key))
    readings.set(key, reading)
    await reading
    return store.find(key)
  }

  return {
    name,
    section,
    profile: upstream.profile,
    trust: upstream.trust,
    get health() {
      return upstream.health
    },
    get servers() {
      return upstream.servers
    },
    enter: (client, signal, affinity) => upstream.enter(client, signal, affinity),
    async send(request) {
      const change = changeOf(section.kind, request)
      if (change !== 'nothing') return await changed(request, change)
      const cacheable = cacheableOf(request, section)
      if (cacheable === undefined) return await past(request)
      if (cacheable.anew) {
        store.forget(cacheable.key)
        disk?.forget(cacheable.key)
        flights.get(cacheable.key)?.spoil()
      }
      const lent = store.find(cacheable.key) ?? (disk && (await fromDisk(cacheable.key, disk)))
      return lent === undefined ? await fill(request, cacheable) : handOut(lent, 'hit', cacheable)
    },
    probe: () => upstream.probe(),
    async [Symbol.asyncDispose]() {
      sweeps[Symbol.dispose]()
      hearing?.[Symbol.dispose]()
      store.forgetWhere(() => true)
      disk?.[Symbol.dispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}
