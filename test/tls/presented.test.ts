// Who shows the same on several connections is read and kept once; nothing that differs is taken for the same.
import { X509Certificate } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { presentedBy, type TlsPeer } from '../../src/tls/presented.ts'
import { readTruststore } from '../../src/tls/truststore.ts'
import { startAuthority } from '../fixture/authority.ts'

const authority = await startAuthority(t)
const ada = (await authority.client('ada')).certPem
const eva = (await authority.client('eva')).certPem

const peerOf = (pem: string, facts: Partial<TlsPeer> = {}): TlsPeer => ({
  authorized: true,
  authorizationError: null as never, // as Node has it where all is well
  getPeerX509Certificate: () => new X509Certificate(pem),
  sent: [],
  ...facts,
})
const trusted = () => {
  const truststore = readTruststore(authority.caFile, Date.now(), (_key, message) => t.fail(message))
  if (truststore === undefined) throw new Error('the truststore of the test cannot be read')
  return truststore
}

t.test('two connections with the same certificate have one reading of it', async t => {
  const truststore = trusted()
  const first = presentedBy(peerOf(ada), truststore)
  t.equal(first?.paths?.length, 1)
  t.equal(presentedBy(peerOf(ada), truststore), first)
})

t.test('it is another one for another person, verdict, chain or truststore', async t => {
  const truststore = trusted()
  const first = presentedBy(peerOf(ada), truststore)
  const others = [
    presentedBy(peerOf(eva), truststore),
    presentedBy(peerOf(ada, { authorized: false, authorizationError: new Error('CERT_HAS_EXPIRED') }), truststore),
    presentedBy(peerOf(ada, { authorizationError: new Error('CERT_HAS_EXPIRED') }), truststore),
    presentedBy(peerOf(ada, { sent: [new X509Certificate(authority.caPem)] }), truststore),
    presentedBy(peerOf(ada), trusted()),
  ]
  t.notOk(others.includes(first))
  t.notOk(others.includes(undefined))
  t.equal(new Set(others).size, others.length)
  t.equal(others[1]?.authorized, false)
})

t.test('a minute later it is read anew', async t => {
  const truststore = trusted()
  const first = presentedBy(peerOf(ada), truststore)
  const later = Date.now() + 60_001
  t.intercept(Date, 'now', { value: () => later })
  t.not(presentedBy(peerOf(ada), truststore), first)
})

t.test('it is let go with the last of its connections', async t => {
  const truststore = trusted()
  const kept = () => new WeakRef(presentedBy(peerOf(ada), truststore) ?? t)
  const reading = kept()
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as NodeJS.GCFunction // there since the flag is set
  await pause(1)
  collect()
  t.equal(reading.deref(), undefined)
})
