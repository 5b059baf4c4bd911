// Text is escaped by default, and answers take the shape that the client can use.
import t from 'tap'
import type { HeaderList } from '../../src/listener/exchange.ts'
import { html } from '../../src/portal/markup.ts'
import { isBrowser, wantsPage } from '../../src/portal/problem.ts'
import { spanText } from '../../src/portal/wording.ts'

t.test('what is put into a page is text, not markup', async t => {
  const evil = `<script>alert('x')</script>&"\``
  t.equal(html`<p title="${evil}">${evil}</p>`.text, html`<p title="${evil}">${evil}</p>`.text)
  t.notMatch(html`${evil}`.text, /[<>"'`]/)
  t.equal(html`${evil}`.text, '&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;&#96;')
  t.equal(html`${html`<b>${'<'}</b>`}`.text, '<b>&lt;</b>', 'what this tag made is not escaped twice')
  t.equal(html`${['a', html`<i>`, '<']}`.text, 'a<i>&lt;')
  t.equal(html`${undefined}${false}${0}`.text, '0')
})

t.test('a page is for who is on the way to one', async t => {
  const asks = (method: string, ...headers: HeaderList) => wantsPage({ method, headers })
  t.equal(asks('GET', ['sec-fetch-mode', 'navigate'], ['accept', '*/*']), true)
  t.equal(asks('POST', ['sec-fetch-mode', 'navigate']), true)
  t.equal(
    asks('GET', ['sec-fetch-mode', 'cors'], ['accept', 'text/html']),
    false,
    'a script’s request is none, whatever it accepts',
  )
  t.equal(asks('GET', ['sec-fetch-site', 'same-origin'], ['accept', 'text/html']), false)
  t.equal(asks('GET', ['sec-fetch-mode', 'navigate'], ['sec-fetch-mode', 'cors']), false)
  t.equal(asks('GET', ['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8']), true)
  t.equal(asks('HEAD', ['accept', 'text/html']), true)
  t.equal(asks('POST', ['accept', 'text/html']), false)
  t.equal(asks('GET', ['accept', '*/*']), false, 'curl')
  t.equal(asks('GET'), false)
  t.equal(asks('GET', ['accept', 'application/json, text/html;q=0.5']), false)
  t.equal(asks('GET', ['accept', 'application/dicom+json']), false)
  t.equal(asks('GET', ['accept', 'text/html;q=0']), false)
})

t.test('a browser is known by what it says of itself', async t => {
  t.equal(isBrowser({ method: 'GET', headers: [['sec-fetch-mode', 'cors']] }), true)
  t.equal(isBrowser({ method: 'GET', headers: [['user-agent', 'Mozilla/5.0 (X11)']] }), true)
  t.equal(isBrowser({ method: 'GET', headers: [['user-agent', 'curl/8.5.0']] }), false)
  t.equal(isBrowser({ method: 'GET', headers: [] }), false)
})

t.test('spans are said as people say them', async t => {
  t.equal(spanText(59_999), 'less than a minute')
  t.equal(spanText(-5), 'less than a minute')
  t.equal(spanText(5 * 60_000), '5 min')
  t.equal(spanText(12_000_000), '3 h 20 min')
  t.equal(spanText(4 * 3_600_000), '4 h')
  t.equal(spanText(72 * 3_600_000), '3 days')
})
