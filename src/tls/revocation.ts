/**
 * The revocation lists of a listener, and their life: read, fetched, renewed on their own, watched for their end.
 *
 * A list that cannot be had, read or believed leaves the one before it in its place, and says so. Which list counts is
 * decided in revocation-pool.ts; what a missing or ended one means for a certificate is for `whenStale` to say.
 *
 * Source: RFC 5280 5 and 6.3.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RevocationSection } from '../config/revocation.ts'
import { createFileWatch } from './file-watch.ts'
import { unreadable } from './keystore.ts'
import type { Report } from './protocol-floor.ts'
import { openAddress } from './revocation-address.ts'
import { createEndWatch } from './revocation-ends.ts'
import type { FetchTerms } from './revocation-fetch.ts'
import { factsOf, type ParsedList, readRevocationLists, whyNotVerifiedBy } from './revocation-list.ts'
import { createRevocationPool, endOf, isFresh, misfits, type RevocationAnswer } from './revocation-pool.ts'

export interface ListState {
  /** Path or address. */
  readonly source: string
  /** Undefined, like its dates: nothing that could be read has come from this source yet. */
  readonly issuer: string | undefined
  readonly thisUpdate: Date | undefined
  /** Undefined: the list does not say. */
  readonly nextUpdate: Date | undefined
  readonly entries: number
  readonly problem?: string
}

export interface Revocation extends Disposable {
  /** The first fetch of all addresses is over, well or not; never rejects. */
  readonly ready: Promise<void>
  readonly whenStale: 'refuse' | 'accept'
  /** @param issuer  directly above, on a way to the truststore that was verified before */
  check(certificate: X509Certificate, issuer: X509Certificate, now: number): RevocationAnswer
  /** Another number whenever lists have come. */
  revision(): number
  /** For a certificate trusted as it is, whose issuer cannot be found: whether a list of that issuer's name has it. */
  mentions(certificate: X509Certificate): { readonly revoked: Date; readonly reason: string } | undefined
  state(): readonly ListState[]
  /** Reads files again that have changed. */
  reread(): void
}

export interface RevocationParts {
  readonly now: () => number
  /** Where the last good copy of what was fetched is kept; undefined: nowhere. */
  readonly cacheDir: string | undefined
  readonly tell: (level: 'info' | 'warn' | 'error', facts: object, message: string) => void
  /** Answers of `check` may be others from now on. */
  readonly onChange: () => void
  readonly fetching?: FetchTerms
}

interface Source {
  readonly name: string
  problem: string | undefined
  /** What was understood last, and what there was to say of it. */
  last: { readonly bytes: Buffer; readonly problem: string | undefined } | undefined
}

/** How often ends of lists and changes of files are looked for, at least. */
const watchInterval = 60_000

export function openRevocation(section: RevocationSection, parts: RevocationParts): Revocation {
  const { now, tell, onChange } = parts
  const closed = new AbortController()
  const timers = new Set<NodeJS.Timeout>()
  const sources: Source[] = []
  const pool = createRevocationPool(({ list, source }, why) =>
    tell('warn', { source, issuer: list.issuer }, `a revocation list does not count: ${misfits[why]}`),
  )
  const ends = createEndWatch(pool, tell)

  const newSource = (name: string): Source => {
    const source: Source = { name, problem: undefined, last: undefined }
    sources.push(source)
    return source
  }
  const trouble = (source: Source, problem: string | undefined) => {
    if (problem === source.problem) return
    source.problem = problem
    if (problem === undefined) tell('info', { source: source.name }, 'a revocation list is all right again')
    else tell('warn', { source: source.name, problem }, 'a revocation list is not to be had; the one before it stays')
  }

  function take(source: Source, bytes: Buffer): { changed: boolean; sound: boolean } {
    if (source.last?.bytes.equals(bytes) === true) {
      trouble(source, source.last.problem)
      return { changed: false, sound: source.problem === undefined }
    }
    const lists = readRevocationLists(bytes)
    if ('mistake' in lists) {
      trouble(source, lists.mistake)
      return { changed: false, sound: false }
    }
    const { added, older } = pool.offer(source.name, lists, now())
    const [back] = older
    const problem = back && `the list of ${back.issuer} that it gives is older than the one known before`
    source.last = { bytes, problem }
    trouble(source, problem)
    for (const list of added) tell('info', { source: source.name, ...factsOf(list) }, 'a revocation list has come')
    return { changed: added.length > 0, sound: problem === undefined }
  }

  function later(wait: number, work: () => void): void {
    if (closed.signal.aborted) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, wait).unref()
    timers.add(timer)
  }

  const files = section.lists
    .filter(one => 'file' in one)
    .map(({ file }) => ({ source: newSource(file), watch: createFileWatch(file) }))

  /** @returns whether answers may be others */
  function readFiles(): boolean {
    let changed = false
    for (const { source, watch } of files) {
      const seen = watch.read()
      if (seen === 'unchanged') continue
      if ('problem' in seen) trouble(source, seen.problem)
      else if (take(source, seen.bytes).changed) changed = true
    }
    return changed
  }
  const tellChange = (changed: boolean) => {
    const moved = ends.look(now())
    if (changed || moved) onChange()
  }
  const watch = () =>
    later(Math.min(section.refresh, watchInterval, ends.next(now())), () => {
      tellChange(readFiles())
      watch()
    })

  readFiles()
  const visits = section.lists
    .filter(one => 'url' in one)
    .map(({ url }) => {
      const source = newSource(url)
      const address = {
        ...{ url, pool, later, refresh: section.refresh, closed: closed.signal, visited: tellChange },
        take: (bytes: Buffer) => take(source, bytes),
        failed: (why: string | undefined) => trouble(source, why),
      }
      return openAddress(address, parts)
    })
  ends.look(now())
  watch()

  function stateOf(list: ParsedList, name: string): ListState {
    const problem = !isFresh(list, now())
      ? 'it is out of date'
      : pool.isStranger(list)
        ? misfits['wrong-signature']
        : sources.find(source => source.name === name)?.problem
    const { issuer, entries, nextUpdate } = list
    return {
      ...{ source: name, issuer, entries, thisUpdate: new Date(list.thisUpdate) },
      nextUpdate: nextUpdate === undefined ? undefined : new Date(nextUpdate),
      ...(problem === undefined ? {} : { problem }),
    }
  }

  return {
    ready: Promise.all(visits).then(() => undefined),
    whenStale: section.whenStale,
    check: pool.check,
    revision: pool.revision,
    mentions: pool.mentions,
    state: () => [
      ...pool.held.map(({ list, source }) => stateOf(list, source)),
      ...sources
        .filter(({ name }) => !pool.held.some(({ source }) => source === name))
        .map(({ name, problem = 'nothing has come from it yet' }) => {
          const nothing = { issuer: undefined, thisUpdate: undefined, nextUpdate: undefined, entries: 0 }
          return { source: name, ...nothing, problem }
        }),
    ],
    reread: () => tellChange(readFiles()),
    [Symbol.dispose]() {
      closed.abort()
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

/**
 * Reads the files that a section names and holds them against the truststore. Addresses are not visited.
 *
 * A list that has ended is a warning: the gateway starts and keeps its holders out, which is better than not starting.
 *
 * @param truststore  all its certificates as PEM
 */
export function inspectRevocation(
  section: RevocationSection,
  now: number,
  truststore: readonly string[],
  report: Report,
): void {
  const authorities = truststore.map(pem => new X509Certificate(pem)).filter(({ ca }) => ca)
  const warn = (message: string) => report('lists', message, 'warning')
  const listed = new Set<X509Certificate>()
  let complete = true
  for (const source of section.lists) {
    if (!('file' in source)) {
      complete = false
      continue
    }
    const { file } = source
    let bytes: Buffer
    try {
      bytes = readFileSync(file)
    } catch (cause) {
      report('lists', unreadable(file, cause))
      continue
    }
    const lists = readRevocationLists(bytes)
    if ('mistake' in lists) {
      report('lists', `${file}: ${lists.mistake}`)
      continue
    }
    for (const list of lists) {
      const end = new Date(endOf(list)).toUTCString()
      if (now > endOf(list)) warn(`${file}: the list of ${list.issuer} has ended on ${end}`)
      else if (!isFresh(list, now)) warn(`${file}: the list of ${list.issuer} is dated in the future`)
      const verdicts = authorities.map(authority => whyNotVerifiedBy(list, authority))
      for (const [index, authority] of authorities.entries()) if (verdicts[index] === undefined) listed.add(authority)
      const misfit = verdicts.find(why => why === 'wrong-signature' || why === 'may-not-sign-lists')
      if (verdicts.includes(undefined)) continue
      if (misfit !== undefined) warn(`${file}: the list of ${list.issuer} does not count: ${misfits[misfit]}`)
      else
        warn(`${file}: no authority of the truststore is called ${list.issuer}; its list counts below one of them only`)
    }
  }
  for (const authority of complete ? authorities : []) {
    if (listed.has(authority)) continue
    const effect = section.whenStale === 'refuse' ? 'are refused' : 'are accepted unchecked'
    warn(`there is no list of ${authority.subject.replaceAll('\n', ', ')}: the certificates that it issued ${effect}`)
  }
}
