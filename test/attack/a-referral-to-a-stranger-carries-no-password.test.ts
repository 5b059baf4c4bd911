// D06: a directory, or a part of it that somebody else keeps, may point anywhere.
import t from 'tap'
import * as wire from '../fixture/ldap-wire.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { startRawDirectory } from '../ldap/raw-directory.ts'
import { forAll, serversOn } from '../ldap/servers-lab.ts'

t.test('D06: nobody who is not among the urls is even connected to, however the URL is spelt', async t => {
  const stranger = await startRawDirectory(t)
  const evil = new URL(stranger.url).host
  let urls: readonly string[] = []
  const directory = await startScriptedDirectory(t, ({ id, operation, ...request }) => {
    if (operation === 'search') return Buffer.concat([wire.searchReference(id, ...urls), wire.searchDone(id)])
    if (operation !== 'bind' || !('name' in request) || !request.name.startsWith('uid=')) return undefined
    return wire.bindResponse(id, { code: 10, referral: [...urls] })
  })
  const mine = new URL(directory.url).host
  const spellings = [
    `ldap://${evil}/dc=x`,
    `ldap://${mine}@${evil}/dc=x`,
    `ldap://${evil}#@${mine}/dc=x`,
    `ldap://${evil}?@${mine}/dc=x`,
    `ldap://${mine}:${evil.split(':')[1]}/dc=x`,
    `ldap://127.1:${evil.split(':')[1]}/dc=x`,
    `ldap://[::ffff:127.0.0.1]:${evil.split(':')[1]}/dc=x`,
    `ldap://2130706433:${evil.split(':')[1]}/dc=x`,
    `ldap://${evil}\\@${mine}/dc=x`,
    `http://${evil}/`,
    `//${evil}/`,
    ` ldap://${evil}/`,
  ]
  for (const referral of ['ignore', 'follow'] as const) {
    for (const spelling of spellings) {
      urls = [spelling]
      const servers = serversOn(t, [directory.url], { referral })
      t.same(await servers.search(forAll('group')), [])
      await t.rejects(servers.bind('uid=a,dc=x', 'right'), { code: 'directory-misconfigured' })
      if (referral === 'follow') t.match(servers.steps.join('; '), /referral not followed/, spelling)
    }
  }
  t.equal(stranger.connections, 0)
})

t.test('D06: a referral to ourselves in clear is followed as it is set for us, or not at all', async t => {
  // An address of ours is ldaps; the directory says ldap.
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search'
      ? Buffer.concat([wire.searchReference(id, `${directory.url}/dc=there`), wire.searchDone(id)])
      : undefined,
  )
  const raw = await startRawDirectory(t)
  directory.script = ({ id, operation }) =>
    operation === 'search'
      ? Buffer.concat([wire.searchReference(id, `${raw.url}/dc=there`), wire.searchDone(id)])
      : undefined
  const servers = serversOn(t, [directory.url, raw.url.replace('ldap:', 'ldaps:')], { referral: 'follow' })
  await t.rejects(servers.search(forAll('group')), { code: /^directory-/ })
  t.equal(raw.received[0]?.[0], 0x16, 'a handshake, and nothing else')
  t.notMatch(Buffer.concat(raw.received).toString('latin1'), /reader|pass-word/)
})
