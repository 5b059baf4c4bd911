/**
 * One search over one connection, page by page: every entry or an error, within one time and one number of bytes.
 *
 * It reads references and referrals and follows none (referral.ts). Not to forget: a directory can stop at a limit of its
 * own that is smaller than ours; what came until then is no answer, and one entry of two would look like a single match.
 *
 * Source: RFC 4511 4.5, RFC 2696 (a page may be empty and not the last, which ldapts 9.2.0 takes for the end).
 */
import { type Control, PagedResultsControl, SearchRequest as WireRequest } from 'ldapts'
import { type Conversation, TooMuch } from './conversation.ts'
import { countdown } from './countdown.ts'
import { type Entry, readEntry } from './entry.ts'
import type { Filter } from './filter.ts'
import { encodeFilter } from './filter-encoding.ts'
import { nextPage, type Response, type Result, resultError, wireEntry } from './response.ts'

const pageSize = 500
/** Of one search, references included. A person is in a hundredth of it. */
const mostEntries = 10_000
/** Bytes of one search, all pages together: ten thousand groups by name take a quarter of it. */
const mostBytes = 8 * 1024 * 1024

export interface Search {
  readonly base: string
  readonly scope: 'base' | 'one' | 'sub'
  readonly filter: Filter
  /** Asked for by name, operational ones too. */
  readonly attributes: readonly string[]
  /** Of these the bytes are wanted, not the text. */
  readonly binary?: readonly string[]
  /** More entries are not wanted: the size limit. Absent: all of them, page by page. */
  readonly most?: number
}

export interface Found {
  readonly entries: readonly Entry[]
  /** Parts of the tree that lie elsewhere: for each the URLs that lead there. */
  readonly references: readonly (readonly string[])[]
  /** The base itself lies elsewhere: the URLs that lead there. Nothing was found then. */
  readonly elsewhere: readonly string[] | undefined
}

/**
 * An entry that is asked for by its name and not there is no entry. Rejects with a ResultCodeError, or with what
 * ended the connection.
 *
 * @param timeout  ms for all pages together
 */
export async function searchOver(conversation: Conversation, search: Search, timeout: number): Promise<Found> {
  const left = countdown(timeout)
  const budget = { bytes: mostBytes }
  const entries: Entry[] = []
  const references: (readonly string[])[] = []
  const binary = new Set((search.binary ?? []).map(name => name.toLowerCase()))
  const isRoot = search.base === '' && search.scope === 'base'
  let last: Result | undefined
  const take = (response: Response): boolean => {
    if (response.kind === 'done') last = response.result
    else if (response.kind === 'reference') references.push(response.urls)
    else if (response.kind === 'entry') entries.push(entryOf(response, binary, isRoot))
    else throw new Error('the directory answered a search with something else')
    if (entries.length + references.length > mostEntries)
      throw new TooMuch(`the directory sent more than ${mostEntries} entries`)
    return last !== undefined
  }

  for (let cookie: Buffer | undefined = Buffer.alloc(0); cookie !== undefined; ) {
    const page = cookie
    last = undefined
    await conversation.ask({ write: id => requestBytes(id, search, page, left()), take, within: left(), budget })
    const result = requireResult(last)
    // In the middle of an answer it is none, as that would be half of one.
    if (result.code === referral && entries.length + references.length === 0)
      return { entries: [], references: [], elsewhere: result.referral ?? [] }
    if (result.code === noSuchObject && search.scope === 'base') return nothing
    const isFull = search.most !== undefined && entries.length >= search.most
    if (result.code !== 0 && !(result.code === sizeLimitExceeded && isFull)) throw resultError(result)
    cookie = search.most === undefined ? nextPage(result) : undefined
  }
  return { entries, references, elsewhere: undefined }
}

const nothing: Found = { entries: [], references: [], elsewhere: undefined }
const noSuchObject = 32
const sizeLimitExceeded = 4
const referral = 10

/** @param isRoot  what the server says of itself was asked for, the only entry without a name */
function entryOf(response: Extract<Response, { kind: 'entry' }>, binary: ReadonlySet<string>, isRoot: boolean): Entry {
  const entry = readEntry(wireEntry(response, binary), isRoot)
  // Left out, one of two would look like a single match, and a list of groups like a whole one.
  if (entry === undefined) throw new Error('the directory sent an entry without a name')
  return entry
}

/** `take` resolves the question only with a result; types cannot know. */
function requireResult(result: Result | undefined): Result {
  if (result === undefined) throw new TypeError('an answer ended without a result')
  return result
}

function requestBytes(messageId: number, search: Search, cookie: Buffer, left: number): Buffer {
  const { base, scope, filter, attributes, most = 0 } = search
  const controls: Control[] = most > 0 ? [] : [new PagedResultsControl({ value: { size: pageSize, cookie } })]
  // 0 would be no limit at all.
  const timeLimit = Math.max(1, Math.ceil(left / 1000))
  return new WireRequest({
    ...{ messageId, baseDN: base, scope, derefAliases: 'never', filter: encodeFilter(filter) },
    ...{ attributes: [...attributes], sizeLimit: most, timeLimit, controls },
  }).write()
}
