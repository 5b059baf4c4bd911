// What an upstream says reaches the client over HTTP/1.1 and HTTP/2 alike: names of files in any letters, headers twice.
import t from 'tap'
import { protocols, startApp } from '../behaviour/app.ts'
import { type Fields, reply } from '../fixture/upstream-answers.ts'

let headers: Fields = []
const { gateway } = await startApp(t, () => reply({ headers, body: 'whole' }))

const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')
const names: Readonly<Record<string, string>> = {
  'ASCII bytes': 'attachment; filename="ct.zip"',
  'latin1 bytes': 'attachment; filename="M\xfcller.zip"',
  'UTF-8 bytes': utf8('attachment; filename="Müller.zip"'),
  'UTF-8 bytes of three and four': utf8('attachment; filename="日本🩻.zip"'),
  'UTF-8 bytes and the encoded form': utf8(`attachment; filename="Müller.zip"; filename*=UTF-8''M%C3%BCller.zip`),
  'UTF-8 bytes without quotes': utf8('attachment; filename=Müller.zip'),
  'bytes that are neither': 'attachment; filename="\xff\xc0\x80.zip"',
}

for (const protocol of protocols) {
  t.test(
    `over ${protocol} an answer with a file name of any bytes comes whole, and can be saved by that name`,
    async t => {
      for (const [title, name] of Object.entries(names)) {
        headers = [['Content-Disposition', name]]
        const answer = await gateway.ask('/x', { protocol })
        t.match(answer, { status: 200, text: 'whole' }, title)
        const told = answer.headers['content-disposition'] ?? ''
        t.match(told, /^attachment; filename=[\x20-\x7e]+$/, title)
        if (/ller/.test(name) && name.includes('"')) t.match(told, /filename\*=UTF-8''M%C3%BCller\.zip$/, title)
      }
    },
  )

  t.test(`over ${protocol} a header that came twice comes, and the answer whole`, async t => {
    for (const name of [
      'X-Content-Type-Options',
      'Content-Type',
      'Content-Disposition',
      'ETag',
      'Age',
      'Expires',
      'X-Other',
    ]) {
      headers = [
        [name, 'a'],
        [name, 'a'],
      ]
      const answer = await gateway.ask('/x', { protocol })
      t.match(answer, { status: 200, text: 'whole' }, name)
      t.match(answer.headers[name.toLowerCase()], /^a(, a|\na)?$/, name)
    }
  })

  t.test(`over ${protocol} any other header may hold other than ASCII`, async t => {
    for (const value of ['M\xfcller', utf8('Müller'), '\x80\xff']) {
      headers = [['X-Patient', value]]
      const answer = await gateway.ask('/x', { protocol })
      t.match(answer, { status: 200, text: 'whole' }, JSON.stringify(value))
      t.not(answer.headers['x-patient'] ?? '', '')
    }
  })
}

t.test('nothing of it was a fault', async t => {
  t.same(
    gateway.log().filter(line => line['fault'] !== undefined),
    [],
  )
})
