/**
 * Whom a listener believes, and how a server that we call is judged: never the system's authorities by accident.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { peerTrustSection } from '../../src/config/peer-trust.ts'
import { fileScalars } from '../../src/config/scalars.ts'
import { makeSelfSigned } from '../../src/issuer/self-signed.ts'
import { readPeerTrust } from '../../src/tls/peer-trust.ts'
import { readTruststore } from '../../src/tls/truststore.ts'
import { startAuthority } from '../fixture/authority.ts'
import { listening } from './said.ts'

const section = peerTrustSection(fileScalars(path => path))

t.test('trust', async t => {
  const authority = await startAuthority(t)
  const server = await authority.server(['pacs.example.org'])
  const { certificatePem: single } = await makeSelfSigned(['node.example.org'])
  const dir = t.testdir()
  const put = (name: string, text: string) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const read = (text: string, now = Date.now()) => {
    const { report, said } = listening()
    return { store: readTruststore(put('store.pem', text), now, report), said }
  }

  await t.test('of clients: authorities and single certificates are told apart', async t => {
    const { store, said } = read(`words\n${authority.caPem}${single}${server.certPem}`)
    t.same(said, [])
    t.same([store?.authorities.size, store?.singles.size, store?.pem.length], [1, 2, 3])
  })

  await t.test('of clients: a file of which nobody could be trusted is refused', async t => {
    for (const text of ['', 'no certificate', server.keyPem]) {
      const { store, said } = read(text)
      t.equal(store, undefined)
      t.match(said, [/^truststore: .* holds no certificate \(PEM\), so nobody could be trusted$/])
    }
    const broken = read(authority.caPem + single.replace(/M/g, 'A'))
    t.equal(broken.store, undefined, 'one that cannot be read spoils the file')
    t.match(broken.said, [/^truststore: certificate 2 of .* cannot be read$/])
    const { report, said } = listening()
    t.equal(readTruststore(join(dir, 'none.pem'), Date.now(), report), undefined)
    t.match(said, [/^truststore: there is no file/])
  })

  await t.test('of clients: a key among the certificates and one that has ended are warned of', async t => {
    const { store, said } = read(authority.caPem + server.keyPem)
    t.match(said, [/^warning: truststore: .*holds a private key/])
    t.ok(store)
    t.match(read(single, Date.now() + 100 * 86_400_000).said, [/^warning: truststore: certificate 1 .* expired on/])
  })

  await t.test('in a server: its authorities, its name, the certificate we show', async t => {
    const peer = (written: object) => {
      const { report, said } = listening()
      return { trust: readPeerTrust(section.parse(written), undefined, Date.now(), report), said }
    }
    const named = peer({
      ca: authority.caFile,
      certificate: server.certFile,
      key: server.keyFile,
      name: 'pacs.example.org',
    })
    t.same(named.said, [])
    t.match(named.trust, {
      name: 'pacs.example.org',
      checkName: true,
      authorities: { place: authority.caFile },
      pins: [],
    })
    t.match(peer({}).trust, {
      name: undefined,
      checkName: true,
      authorities: { place: 'the trust store of this machine' },
    })

    t.match(peer({ ca: put('empty.pem', '') }), { trust: undefined, said: [/^ca: .* holds no certificate \(PEM\)$/] })
    t.match(peer({ ca: join(dir, 'none.pem') }), { trust: undefined, said: [/^ca: there is no file/] })
    t.match(peer({ ca: put('bad.pem', single.replace(/M/g, 'A')) }), {
      trust: undefined,
      said: [/^ca: .*cannot be read$/],
    })
    t.match(peer({ certificate: server.certFile, key: join(dir, 'none.key') }), {
      trust: undefined,
      said: [/^key: there is no/],
    })
  })

  t.test('in a server: what contradicts itself is refused when it is read', async t => {
    const bad = [{ ca: 'a', platformCas: true }, { platformCas: false }, { key: 'k' }, { password: { env: 'P' } }]
    for (const written of bad) t.notOk(section.safeParse(written).success, JSON.stringify(written))
  })
})
