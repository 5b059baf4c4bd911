// In the place of the OHIF image a new certificate is taken from its files while connections stay, and a broken one never is.

import { X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { rawTls } from '../fixture/raw-tls.ts'
import { requireReal } from '../fixture/real.ts'
import { makePlace, pageFor, selfSigned, serveThere } from './ohif-place.ts'

const fingerprint = (file: string) => new X509Certificate(readFileSync(file)).fingerprint256
const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

t.test('a new pair is taken within seconds, at once on SIGHUP, and a broken one never', async t => {
  if (!requireReal(t, ['openssl'])) return
  const place = makePlace(t)
  const san = ['-addext', 'subjectAltName=DNS:localhost']
  const [first, second, third] = [
    selfSigned(place, 'first', san),
    selfSigned(place, 'second', san),
    selfSigned(place, 'third', san),
  ]
  const [certificate, key] = [place.file('tls.crt'), place.file('tls.key')]
  const put = (pair: typeof first) => {
    copyFileSync(pair.certificate, certificate)
    copyFileSync(pair.key, key)
  }
  put(first)
  const served = await serveThere(t, place, 'SSL_PORT', { SSL_CERTIFICATE: certificate, SSL_CERTIFICATE_KEY: key })
  const ca = [first, second, third].map(pair => readFileSync(pair.certificate, 'utf8')).join('')
  const shown = async () => {
    using raw = await rawTls(served.port, { ca, alpn: ['http/1.1'] })
    return raw.socket.getPeerCertificate().fingerprint256
  }
  t.equal(await shown(), fingerprint(first.certificate))
  using open = await rawTls(served.port, { ca, alpn: ['http/1.1'] })
  await open.write(request)
  t.match((await open.read({ until: '</script>' })).text, pageFor('/'))

  put(second)
  await served.shows(/the files have changed: the certificate was read anew/)
  t.equal(await shown(), fingerprint(second.certificate))
  await open.write(request)
  t.match((await open.read({ until: '</script>' })).text, pageFor('/'), 'a connection on the old one is answered')

  writeFileSync(key, readFileSync(third.key))
  await served.shows(
    /the files have changed: the key does not belong to this certificate; the certificate that was there stays/,
  )
  t.equal(await shown(), fingerprint(second.certificate))
  served.signal('SIGHUP')
  await served.shows(/SIGHUP: the key does not belong to this certificate; the certificate that was there stays/)
  t.equal(await shown(), fingerprint(second.certificate))

  put(third)
  served.signal('SIGHUP')
  await served.shows(/SIGHUP: the certificate was read anew/)
  t.equal(await shown(), fingerprint(third.certificate))
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 0)
})
