/**
 * Answers for requests that are wrong in themselves: one sentence, as a page or as problem+json.
 */
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import { html } from './markup.ts'
import { notice, requestNumber, sendPage } from './page.ts'
import { sendProblem, wantsPage } from './problem.ts'

const reasons = {
  400: ['bad-request', 'The gateway cannot read this address or request.'],
  403: ['cross-site', 'The request was started by another web site, so it was not carried out.'],
  404: ['not-found', 'There is nothing at this address.'],
  405: ['method-not-allowed', 'This cannot be done here.'],
  413: ['too-large', 'More was sent than is taken here.'],
  415: ['wrong-content', 'What was sent is not what is taken here.'],
  421: ['misdirected', 'This server does not answer for that name.'],
} as const

/** @param detail  more than the status says; it is escaped, but must not hold what only the log may know */
export function plainRefusal(
  exchange: Exchange,
  status: keyof typeof reasons,
  title: string,
  detail?: string,
  headers: HeaderList = [],
): void {
  const [reason, text] = reasons[status]
  const told = detail ?? text
  if (!wantsPage(exchange.request)) {
    sendProblem(exchange, status, { reason, title, detail: told }, headers)
    return
  }
  const body = html`
<h1>${title}</h1>
${notice('alert', told)}
<p><a class="button" href="/-/home">Go to the home page</a></p>
${requestNumber(exchange)}`
  sendPage(exchange, status, { title, body, standsAlone: status === 421 }, headers)
}
