// A client that sends garbage while its answer runs (or whoever can put bytes into its connection) must not get our 400
// into the middle of that answer, where it would pass for more of the body. It comes behind the last byte, as the answer to garbage.
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import type { Answer } from '../fixture/upstream-answers.ts'
import { head, openRaw, statuses, stillAnswers, talk } from './raw-request.ts'

const pieces = 10
const piece = 'body'.repeat(256)
const whole = pieces * piece.length

/** An answer that takes half a second. */
const slowly =
  (framing: string, wrap: (part: string) => string, last = ''): Answer =>
  async line => {
    await line.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`)
    for (let at = 0; at < pieces; at++) {
      await line.write(wrap(piece))
      await pause(50)
    }
    if (last !== '') await line.write(last)
    if (framing === 'Connection: close') line.end()
  }
const answers: Readonly<Record<string, Answer>> = {
  '/length': slowly(`Content-Length: ${whole}`, part => part),
  '/chunked': slowly('Transfer-Encoding: chunked', part => `${part.length.toString(16)}\r\n${part}\r\n`, '0\r\n\r\n'),
  '/closing': slowly('Connection: close', part => part),
}
const upstream = await startUpstream(
  t,
  ({ target }) => answers[target] ?? (line => line.write('HTTP/1.1 204 \r\n\r\n')),
)
const gateway = await startTestGateway(t, {
  listener: 'limits: { headers: 1 s, headerSize: 8 KB }',
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`,
})

const garbage: Readonly<Record<string, string>> = {
  'what is no HTTP': '\0\x01garbage\r\n\r\n',
  'a broken request line': 'GET / HTTP/9.9\r\n\r\n',
  'a broken header': `${head(gateway, 'GET / HTTP/1.1').slice(0, -2)}a b: c\r\n\r\n`,
  'a head that is too large': head(gateway, 'GET / HTTP/1.1', [`X: ${'x'.repeat(20_000)}`]),
  'two framings': head(gateway, 'POST / HTTP/1.1', ['Content-Length: 3', 'Transfer-Encoding: chunked']),
}

/** The answers on a line, by the letter; undefined: something stands where an answer should begin. */
function answersOn(text: string): { status: number; body: string }[] | undefined {
  const found: { status: number; body: string }[] = []
  for (let rest = text; rest !== ''; ) {
    const [all = '', status, fields = ''] = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(rest) ?? []
    if (status === undefined) return undefined
    rest = rest.slice(all.length)
    let body = ''
    const length = Number(/^content-length: (\d+)/im.exec(fields)?.[1] ?? 0)
    if (/^transfer-encoding: chunked/im.test(fields)) {
      for (let size = -1; size !== 0; ) {
        const [line = '', digits] = /^([0-9a-f]+)\r\n/.exec(rest) ?? []
        if (digits === undefined) return undefined
        size = Number.parseInt(digits, 16)
        body += rest.slice(line.length, line.length + size)
        rest = rest.slice(line.length + size + 2)
      }
    } else {
      body = rest.slice(0, length)
      rest = rest.slice(length)
    }
    found.push({ status: Number(status), body })
  }
  return found
}

/** The answer that ran is whole, and what came of the garbage stands behind it. */
function keptApart(t: Test, text: string, title: string, before: readonly number[] = []): void {
  const answers = answersOn(text)
  t.ok(answers, `${title}: an answer begins where the one before it ends`)
  const [status = 0] = answers?.slice(-1).map(last => last.status) ?? []
  t.same(
    answers?.map(one => one.status),
    [...before, 200, status],
    title,
  )
  t.ok(status === 400 || status === 431, `${title}: ${status}`)
  t.equal(answers?.at(-2)?.body, piece.repeat(pieces), title)
}

for (const path of Object.keys(answers)) {
  t.test(`${path}: garbage while the answer runs changes nothing in it, and ends the connection behind it`, async t => {
    const send = async ([title, bytes]: [string, string]) => {
      using line = await openRaw(gateway)
      await line.write(head(gateway, `GET ${path} HTTP/1.1`))
      const first = await line.read({ until: 'body' })
      t.same(statuses(first.text), [200], title)
      await line.write(bytes)
      const rest = await line.read({ timeout: 3_000 })
      keptApart(t, first.text + rest.text, title)
      t.match(rest.ended, /end|error/, `${title}: the connection is closed`)
    }
    await Promise.all(Object.entries(garbage).map(send))
    await stillAnswers(t, gateway)
  })

  t.test(`${path}: garbage behind the request in the same write is no part of the answer either`, async t => {
    const send = async ([title, bytes]: [string, string]) => {
      const { text } = await talk(gateway, head(gateway, `GET ${path} HTTP/1.1`) + bytes, { timeout: 3_000 })
      keptApart(t, text, title)
    }
    await Promise.all(Object.entries(garbage).map(send))
    await stillAnswers(t, gateway)
  })
}

t.test('nor into the second answer of a pipeline, when the first one is over', async t => {
  for (const [title, bytes] of Object.entries(garbage)) {
    using line = await openRaw(gateway)
    await line.write(head(gateway, 'GET /x HTTP/1.1') + head(gateway, 'GET /length HTTP/1.1'))
    const first = await line.read({ until: 'body' })
    t.same(statuses(first.text), [204, 200], title)
    await line.write(bytes)
    keptApart(t, first.text + (await line.read({ timeout: 3_000 })).text, title, [204])
  }
})

t.test('half a head that never ends does not put a 408 into an answer', async t => {
  using line = await openRaw(gateway)
  await line.write(head(gateway, 'GET /length HTTP/1.1'))
  await line.read({ until: 'body' })
  await line.write('GET /x HTTP/1.1\r\nHost: x\r\n')
  await pause(100)
  await line.write(head(gateway, 'GET /length HTTP/1.1'))
  t.notMatch((await line.read({ timeout: 2_000 })).text, /body[\s\S]{0,4}HTTP\/1\.1 4\d\d[\s\S]*body/)
})

t.test('where no answer runs, garbage is told with 400 as before', async t => {
  for (const bytes of [garbage['what is no HTTP'] ?? '', garbage['a broken request line'] ?? '']) {
    t.same(statuses((await talk(gateway, bytes)).text), [400])
    const after = await talk(gateway, `${head(gateway, 'GET /x HTTP/1.1')}`, { until: '\r\n\r\n' })
    t.same(statuses(after.text), [204])
  }
  using line = await openRaw(gateway)
  await line.write(head(gateway, 'GET /x HTTP/1.1'))
  t.same(statuses((await line.read({ until: '\r\n\r\n' })).text), [204])
  await line.write('\0garbage\r\n\r\n')
  t.same(statuses((await line.read()).text), [400], 'also behind an answer that is over')
})
