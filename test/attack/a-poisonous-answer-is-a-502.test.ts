// H18: an answer that cannot be passed on without changing its meaning is a 502 of ours, its connection is closed, and the
// next answer is a good one. Source: RFC 9112 5.1, 6.3.
import t from 'tap'
import { protocols, startApp, within } from '../behaviour/app.ts'
import { type Answer, raw, reply } from '../fixture/upstream-answers.ts'
import { stillAnswers } from './raw-request.ts'

const ok = 'HTTP/1.1 200 OK\r\n'
const end = 'Content-Length: 2\r\n\r\nhi'
const poisonous: Readonly<Record<string, string>> = {
  'a bare CR in a value': `${ok}X: a\rSet-Cookie: b=c\r\n${end}`,
  'a NUL in a value': `${ok}X: a\0b\r\n${end}`,
  'an escape in a value': `${ok}X: a\x1b[2Jb\r\n${end}`,
  'a DEL in a value': `${ok}X: a\x7fb\r\n${end}`,
  'a blank in a name': `${ok}X Y: a\r\n${end}`,
  'a blank before the colon': `${ok}Set-Cookie : a=b\r\n${end}`,
  'a letter that no name has': `${ok}X\xe4: a\r\n${end}`,
  'a header without a name': `${ok}: a\r\n${end}`,
  'a header without a colon': `${ok}nonsense\r\n${end}`,
  'a length and chunks': `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
  'two lengths': `${ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi`,
  'a length that is no number': `${ok}Content-Length: 2x\r\n\r\nhi`,
  'a negative length': `${ok}Content-Length: -2\r\n\r\nhi`,
  'a head of 2 MB': `${ok}X: ${'x'.repeat(2_000_000)}\r\n${end}`,
  'a hundred thousand headers': `${ok}${'X: y\r\n'.repeat(100_000)}${end}`,
  'five thousand cookies': `${ok}${'Set-Cookie: name=0123456789\r\n'.repeat(5_000)}${end}`,
  'a status that is none': `HTTP/1.1 2x0 OK\r\n${end}`,
  'a status of four digits': `HTTP/1.1 2000 OK\r\n${end}`,
  'a status below all': `HTTP/1.1 099 OK\r\n${end}`,
  'a status above all': `HTTP/1.1 999 OK\r\nConnection: close\r\n${end}`,
  'another version': `HTTP/7.3 200 OK\r\n${end}`,
  'no status line': `X: y\r\n${end}`,
}

for (const protocol of protocols) {
  t.test(`H18: over ${protocol} a poisonous answer is a 502 and its connection is closed`, async t => {
    let answer: Answer = reply()
    const app = await startApp(t, () => answer, { settings: 'connections: 2, timeouts: { idle: 1 s }' })
    for (const [title, bytes] of Object.entries(poisonous)) {
      answer = raw(bytes)
      const { status, headers, cookies, text } = await app.gateway.ask('/x', { protocol })
      t.equal(status, 502, title)
      t.match(JSON.parse(text), { reason: 'upstream-broken' }, title)
      t.same([headers['x'], cookies], [undefined, []], `${title}: nothing of it gets out`)
      t.ok(await within(1_000, () => app.upstream.openConnections === 0), `${title}: the connection is closed`)
      answer = reply({ body: 'good' })
      t.match(await app.gateway.ask('/x', { protocol }), { status: 200, text: 'good' }, title)
    }
    await stillAnswers(t, app.gateway)
  })

  t.test(`H18: over ${protocol} many cookies arrive, each as it was`, async t => {
    const cookies = Array.from({ length: 1_000 }, (_, at) => `c${at}=${at}`)
    const app = await startApp(t, () => reply({ headers: cookies.map(value => ['Set-Cookie', value]), body: 'hi' }))
    // A client of Node's own takes no such head over HTTP/1.1.
    const answer = await app.gateway.ask('/x', { protocol }).catch(({ code }: NodeJS.ErrnoException) => code)
    if (typeof answer === 'object') t.same([answer.status, answer.cookies, answer.text], [200, cookies, 'hi'])
    else t.match(answer, /HPE_HEADER_OVERFLOW|ERR_HTTP2/)
    await stillAnswers(t, app.gateway)
  })
}
