// Any success with the right number is a successful bind to ldapts 9.2.0, and so is one without a result.
import t from 'tap'
import * as wire from '../fixture/ldap-wire.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { forUid, serversOn } from '../ldap/servers-lab.ts'

const name = 'uid=alice,dc=lab,dc=test'
const answers: readonly (readonly [what: string, answer: (id: number) => Buffer])[] = [
  ['the end of a search', id => wire.searchDone(id)],
  ['the answer to an extension', id => wire.extendedResponse(id)],
  ['an entry', id => wire.searchEntry(id, name, {})],
  ['a success under another number', id => wire.bindResponse(id + 1)],
  ['a success under no number', () => wire.bindResponse(0)],
  ['a success behind a goodbye', id => Buffer.concat([wire.disconnection(), wire.bindResponse(id)])],
  ['no result', id => wire.message(id, wire.tlv(0x61))],
  ['half a result', id => wire.message(id, wire.tlv(0x61, wire.integer(0, 0x0a)))],
  ['a code without a byte', id => wire.message(id, wire.tlv(0x61, wire.tlv(0x0a), wire.octets(''), wire.octets('')))],
  ['a code of another kind', id => wire.message(id, wire.tlv(0x61, wire.integer(0), wire.octets(''), wire.octets('')))],
  ['a success and its half', id => wire.bindResponse(id).subarray(0, -1)],
  ['a refusal that ends in a success', id => wire.bindResponse(id, { code: 14 })],
]

for (const [what, answer] of answers) {
  t.test(`a bind that is answered by ${what} signs nobody in`, async t => {
    const directory = await startScriptedDirectory(t, ({ id, operation, ...request }) =>
      operation === 'bind' && 'name' in request && request.name === name ? answer(id) : undefined,
    )
    const servers = serversOn(t, [directory.url], { readTimeout: 200 })
    await t.rejects(servers.bind(name, 'right'), { code: 'directory-unavailable' })
    t.same(await servers.search(forUid('alice')), [], 'and nobody else is hurt')
  })
}

t.test('a refusal with a success behind it is a refusal', async t => {
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'bind' ? Buffer.concat([wire.bindResponse(id, { code: 49 }), wire.bindResponse(id)]) : undefined,
  )
  t.match(await serversOn(t, [directory.url]).bind(name, 'wrong'), { right: false, code: 49 })
})

t.test('no byte of a refusal can be changed into a success but the code itself', async t => {
  const refusal = wire.bindResponse(2, { code: 49, text: 'no', controls: [wire.passwordPolicy({ error: 'expired' })] })
  let at = 0
  let value = 0
  const directory = await startScriptedDirectory(t, ({ operation }) => {
    if (operation !== 'bind') return undefined
    const changed = Buffer.from(refusal)
    changed[at] = value
    return changed
  })
  const code = refusal.indexOf(Buffer.from([0x0a, 1, 49])) + 2
  const entered: number[] = []
  for (at = 0; at < refusal.length; at++) {
    for (value of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
      // Anew each time: one that failed thrice would be left aside.
      const servers = serversOn(t, [directory.url], { readTimeout: 60 })
      const answer = await servers.bind(name, 'wrong').catch((fault: unknown) => fault)
      if (answer instanceof Error) t.match(answer, { code: /^directory-/ }, `${at} ${value}`)
      else if ((answer as { right: boolean }).right) entered.push(at)
    }
  }
  t.same([...new Set(entered)], [code])
})
