/**
 * The configurations of the Orthanc Book's page on HTTPS, word for word, as drafts of ours.
 *
 * Source: Orthanc Book, "HTTPS encryption with Orthanc" (faq/https). What real programs do with the files that its openssl
 * commands make is in test/real/orthanc-book-https.test.ts.
 */
import t from 'tap'
import { importText, upstreamOf, webOf } from './imported.ts'

t.test('SslEnabled and SslCertificate: one PEM, private key first, is the certificate of the gateway', async t => {
  const got = importText('{ "SslEnabled" : true, "SslCertificate" : "/tmp/certificate.pem" }')
  t.match(webOf(got), {
    bind: [{ host: '0.0.0.0', port: 8042 }],
    keystores: [{ certificate: '/tmp/certificate.pem', key: undefined }],
    clients: { certificate: 'none' },
  })
})

t.test('a peer that is an address alone trusts the authorities of the platform', async t => {
  const got = importText(
    '{ "HttpPort" : 8043, "DicomPort" : 4343, "OrthancPeers" : { "https" : [ "https://localhost:8042/" ] } }',
  )
  t.match(upstreamOf(got, 'https'), {
    url: 'https://localhost:8042/',
    tls: { platformCas: true, ca: undefined },
  })
  t.match(upstreamOf(got, 'orthanc'), { url: 'http://127.0.0.1:8043/' })
  t.match(got.said.join('\n'), /note OrthancPeers\.https: is trusted by the authorities of the platform/)
})

t.test('HttpsCACertificates is whom the upstream is trusted by', async t => {
  const got = importText(
    '{ "HttpPort" : 8043, "DicomPort" : 4343, "HttpsCACertificates" : "/tmp/certificate.crt", "OrthancPeers" : { "https" : [ "https://localhost:8042/" ] } }',
  )
  t.match(upstreamOf(got, 'https'), { url: 'https://localhost:8042/', tls: { ca: '/tmp/certificate.crt' } })
})

t.test(
  'SslVerifyPeers and SslTrustedClientCertificates: a certificate is required, and the list is the truststore',
  async t => {
    const got = importText(
      '{ "SslVerifyPeers": true, "SslTrustedClientCertificates": "trustedClientCertificates.pem" }',
    )
    t.match(webOf(got).clients, { certificate: 'required', truststore: '/etc/orthanc/trustedClientCertificates.pem' })
    t.match(got.said.join('\n'), /note SslVerifyPeers: is true, but SslEnabled is not/)
  },
)

t.test('a peer with a client certificate, and an empty password, which is none', async t => {
  const got = importText(
    '{ "OrthancPeers" : { "orthanc-b" : { "Url" : "https://localhost:8043", "CertificateFile" : "client-crt.pem", "CertificateKeyFile" : "client-key.pem", "CertificateKeyPassword": "" } } }',
  )
  t.match(upstreamOf(got, 'orthanc-b'), {
    url: 'https://localhost:8043/',
    tls: { certificate: '/etc/orthanc/client-crt.pem', key: '/etc/orthanc/client-key.pem', password: undefined },
  })
})

t.test('a web browser with a client certificate: both doors of the gateway are those of Orthanc', async t => {
  const got = importText(
    '{ "SslEnabled" : true, "SslCertificate" : "server.pem", "SslVerifyPeers": true, "SslTrustedClientCertificates": "client.crt" }',
  )
  t.match(webOf(got), {
    keystores: [{ certificate: '/etc/orthanc/server.pem' }],
    clients: { certificate: 'required', truststore: '/etc/orthanc/client.crt' },
  })
  t.match(got.config.routes, [{ access: [{ groups: ['orthanc-clients'], may: 'everything', proof: ['certificate'] }] }])
})
