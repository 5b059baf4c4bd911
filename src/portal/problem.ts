/**
 * In which shape a refusal is told: as a page to a person, as application/problem+json to a program.
 *
 * Not to forget: this looks at what a client says of itself and decides on manners only, never on access.
 * Source: RFC 9457 (problem details); W3C Fetch Metadata; RFC 9110 12.5.1.
 */
import {
  type Exchange,
  type ExchangeRequest,
  type Header,
  type HeaderList,
  headerValues,
  soleHeader,
} from '../listener/exchange.ts'

type Asked = Pick<ExchangeRequest, 'method' | 'headers'>

const saysFetchMetadata = ({ headers }: Asked): boolean => headers.some(([name]) => name.startsWith('sec-fetch-'))

/** True when a person is on the way to a page: what is answered will be looked at. */
export function wantsPage(request: Asked): boolean {
  if (saysFetchMetadata(request)) return soleHeader(request.headers, 'sec-fetch-mode') === 'navigate'
  return (request.method === 'GET' || request.method === 'HEAD') && prefersHtml(request.headers)
}

/** A browser shows its own password dialog when it is challenged; for such a client we have a page instead. */
export const isBrowser = (request: Asked): boolean =>
  saysFetchMetadata(request) || headerValues(request.headers, 'user-agent').some(agent => /^Mozilla\//.test(agent))

/** text/html by its name, and liked no less than JSON; what is merely not ruled out does not count. */
function prefersHtml(headers: HeaderList): boolean {
  let htmlWeight = 0
  let jsonWeight = 0
  for (const item of headerValues(headers, 'accept').join(',').split(',')) {
    const [type = '', ...parameters] = item.split(';').map(part => part.trim().toLowerCase())
    const q = parameters.find(parameter => parameter.startsWith('q='))
    const weight = q === undefined ? 1 : Number(q.slice(2))
    if (type === 'text/html' || type === 'application/xhtml+xml') htmlWeight = Math.max(htmlWeight, weight)
    if (/^application\/([\w.-]+\+)?json$/.test(type)) jsonWeight = Math.max(jsonWeight, weight)
  }
  return htmlWeight > 0 && htmlWeight >= jsonWeight
}

/** On every answer of our own, page or not. */
export const everyAnswer: readonly Header[] = [
  ['x-content-type-options', 'nosniff'],
  ['strict-transport-security', 'max-age=63072000'],
  ['cross-origin-resource-policy', 'same-origin'],
]

export interface Problem {
  /** Stable, kebab-case: a denial's reason or a fault's code. */
  readonly reason: string
  readonly title: string
  readonly detail: string
  /** Members of our own, such as `upstream`. */
  readonly more?: Readonly<Record<string, string>>
}

export function sendProblem(exchange: Exchange, status: number, problem: Problem, headers: HeaderList = []): void {
  const { reason, title, detail, more } = problem
  const body = { type: `urn:sallyport:${reason}`, title, status, detail, reason, ...more, requestId: exchange.id }
  exchange.reply.send(
    status,
    [...everyAnswer, ['content-type', 'application/problem+json'], ['cache-control', 'no-store'], ...headers],
    `${JSON.stringify(body)}\n`,
  )
}
