// An upstream that says the same head word by word, over one connection: each client gets what is right for it, and who says
// something else is understood anew.
import t from 'tap'
import { reply } from '../fixture/upstream-answers.ts'
import { protocols, startApp } from './app.ts'

const kept = [
  ['Content-Type', 'text/plain'],
  ['Set-Cookie', 'theirs=1; Path=/app'],
  ['Content-Location', '/app/1'],
] as const

const yaml = `
realms: { basic: true, local: { file: state-users.yaml } }
cors: { origins: ["https://viewer.example.org"] }
routes:
  - { path: /open, upstream: app, access: everyone, strip: true }
  - { path: /closed, upstream: app, access: [{ groups: [radiology], may: read }], strip: true }`

for (const protocol of protocols) {
  t.test(`over ${protocol}`, async t => {
    const { gateway, upstream } = await startApp(
      t,
      ({ target }) => {
        const [, what = '', text = ''] = /^\/(\w+)\/(\w+)$/.exec(target) ?? []
        return reply({
          status: what === 'missing' ? 404 : 200,
          headers: what === 'other' ? [...kept, ['X-More', text]] : kept,
          body: text,
          ...(what === 'chunks' && { chunk: 2 }),
        })
      },
      {
        yaml,
        settings: 'connections: 1',
        accounts: {
          ada: { password: 'ada-password', groups: ['radiology'] },
          eve: { password: 'eve-password', groups: ['radiology'] },
        },
      },
    )
    const ids = new Set<string>()
    const ask = async (path: string, text: string, more = {}) => {
      const answer = await gateway.ask(`${path}/${text}`, { protocol, ...more })
      ids.add(answer.headers['x-request-id'] ?? '')
      t.equal(answer.text, text, path)
      return answer
    }
    const ada = { basic: 'ada:ada-password' }
    const eve = { basic: 'eve:eve-password' }
    const origin = { headers: { origin: 'https://viewer.example.org' } }
    for (let round = 0; round < 2; round++) {
      // Bodies differ, and their lengths do not: so the heads are the same.
      const open = await ask('/open/same', 'aaaa')
      t.match(open.headers, { 'content-location': '/open/app/1', 'content-length': '4', 'cache-control': undefined })
      t.match(open.cookies, ['theirs=1; Path=/open/app'])
      for (const [text, person] of Object.entries({ bbbb: ada, cccc: eve })) {
        const closed = await ask('/closed/same', text, person)
        t.match(closed.headers, { 'content-location': '/closed/app/1', 'cache-control': 'private, no-store' })
        t.match(closed.cookies, ['theirs=1; Path=/closed/app'])
      }
      const foreign = await ask('/open/same', 'dddd', origin)
      t.equal(foreign.headers['access-control-allow-origin'], 'https://viewer.example.org')
      t.equal((await ask('/open/same', 'eeee')).headers['access-control-allow-origin'], undefined)
      t.equal((await ask('/open/missing', 'ffff')).status, 404)
      t.equal((await ask('/open/same', 'gggg')).status, 200)
      t.equal((await ask('/open/same', 'longer')).headers['content-length'], '6')
      await ask('/open/chunks', 'hhhh')
      await ask('/open/chunks', 'iiii')
      t.equal((await ask('/open/other', 'jjjj')).headers['x-more'], 'jjjj')
      t.equal((await ask('/open/other', 'kkkk')).headers['x-more'], 'kkkk')
      t.equal((await ask('/open/same', 'llll')).headers['x-more'], undefined)
    }
    t.equal(upstream.connections, 1)
    t.equal(ids.size, upstream.received.length, 'each has a number of its own')
  })
}
