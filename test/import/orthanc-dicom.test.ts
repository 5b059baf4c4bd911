/**
 * What becomes of Orthanc's DICOM port, its modalities and its DICOM TLS.
 */
import t from 'tap'
import { importText } from './imported.ts'

const dicom = {
  DicomTlsEnabled: true,
  DicomTlsCertificate: 'dicom.crt',
  DicomTlsPrivateKey: 'dicom.key',
  DicomTlsTrustedCertificates: 'nodes.crt',
}

t.test('DICOM over TLS becomes a stream, with a guess of who may use which AE title', async t => {
  const modalities = { ct1: ['CT1', '10.0.0.1', 104], mr: { AET: 'MR 1', Host: 'mr', Port: 104, UseDicomTls: true } }
  const got = importText({ ...dicom, DicomPort: 4243, DicomModalities: modalities, DicomCheckModalityHost: true })
  t.match(got.config.streams['dicom'], {
    bind: [{ host: '0.0.0.0', port: 4243 }],
    protocol: 'dicom',
    tls: { floor: 'dicom-bcp195' },
    keystores: [{ certificate: '/etc/orthanc/dicom.crt', key: '/etc/orthanc/dicom.key' }],
    clients: { certificate: 'required', truststore: '/etc/orthanc/nodes.crt' },
    upstream: { host: '127.0.0.1', port: 14243 },
    titles: [{ titles: ['CT1'] }, { titles: ['MR 1'] }],
    access: 'authenticated',
  })
  t.match(got.draft, /titles:\n +CN=ct1: \[ CT1 \]\n +CN=mr: \[ MR 1 \]/)
  t.match(got.said.join('\n'), /decide DicomModalities: which certificate may call itself/)
  t.match(got.said.join('\n'), /change DicomCheckModalityHost: set it to false/)
  t.match(got.said.join('\n'), /change DicomTlsEnabled: set DicomTlsEnabled to false and DicomPort to 14243/)
  t.match(got.said.join('\n'), /note DicomModalities\.mr\.UseDicomTls/)
})

t.test('DicomTlsMinimumProtocolVersion 0 is the BCP 195 profile, the others are as for the web server', async t => {
  const streamOf = (settings: object) => {
    const got = importText({ ...dicom, ...settings })
    return { tls: got.config.streams['dicom']?.tls, said: got.said.join('\n') }
  }
  t.match(streamOf({ DicomTlsMinimumProtocolVersion: 0 }).tls, { floor: 'dicom-bcp195', minimum: undefined })
  t.match(streamOf({ DicomTlsMinimumProtocolVersion: 4 }).tls, { minimum: 'TLSv1.2' })
  t.match(streamOf({ DicomTlsMinimumProtocolVersion: 5 }).tls, { minimum: 'TLSv1.3' })
  t.match(streamOf({ DicomTlsMinimumProtocolVersion: 2 }), { tls: { minimum: undefined }, said: /TLS 1\.0 and 1\.1/ })
})

t.test('ciphers of DICOM are called as OpenSSL calls them', async t => {
  const iana: Readonly<Record<string, string>> = {
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA256: 'DHE-RSA-AES128-SHA256',
    TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
    TLS_RSA_WITH_3DES_EDE_CBC_SHA: 'DES-CBC3-SHA',
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
    TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8: 'ECDHE-ECDSA-AES256-CCM8',
    TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384: 'ECDHE-RSA-CAMELLIA256-GCM-SHA384',
    'ECDHE-RSA-AES128-GCM-SHA256': 'ECDHE-RSA-AES128-GCM-SHA256',
  }
  const got = importText({ ...dicom, DicomTlsCiphersAccepted: [...Object.keys(iana), 'TLS_RSA_WITH_NULL_SHA'] })
  t.same(got.config.streams['dicom']?.tls.ciphers, Object.values(iana))
  t.match(got.said.join('\n'), /"TLS_RSA_WITH_NULL_SHA" proves or hides nothing/)
})

t.test('a DICOM port that shows itself to anybody stays closed to those without a certificate', async t => {
  const got = importText({ ...dicom, DicomTlsRemoteCertificateRequired: false })
  t.match(got.config.streams['dicom'], {
    clients: { certificate: 'optional' },
    access: 'authenticated',
    titles: undefined,
  })
  t.match(got.said.join('\n'), /decide DicomTlsRemoteCertificateRequired: lets modalities in that show no certificate/)
})

t.test('without DicomTlsEnabled there is no stream, and the reason', async t => {
  const plain = importText({ ...dicom, DicomTlsEnabled: false, DicomModalities: { ct: ['CT', 'h', 104] } })
  t.same(plain.config.streams, {})
  t.match(plain.said.join('\n'), /decide DicomPort: DICOM goes unencrypted to port 4242, past the gate/)
  t.match(plain.said.join('\n'), /note DicomTlsCertificate: is used by Orthanc itself/)
  t.match(plain.said.join('\n'), /note DicomModalities: stay there/)
  const none = importText({ ...dicom, DicomServerEnabled: false })
  t.same(none.config.streams, {})
  t.match(none.said.join('\n'), /note DicomServerEnabled: is false/)
})

t.test('files that DICOM needs and that are not named are asked for', async t => {
  const got = importText({ DicomTlsEnabled: true })
  t.match(got.config.streams['dicom'], { keystores: [{ certificate: '/etc/sallyport/certs/dicom.pem' }] })
  for (const key of ['DicomTlsCertificate', 'DicomTlsPrivateKey', 'DicomTlsTrustedCertificates'])
    t.match(got.said.join('\n'), new RegExp(`^decide ${key}: is not written, and needed`, 'm'))
})

t.test('a modality that is none, or an AE title that is none, is a problem', async t => {
  const rows = {
    'a b': ['CT', 'h', 1],
    none: 7,
    empty: [],
    long: ['SEVENTEEN-LETTERS', 'h', 1],
    back: ['A\\B', 'h', 1],
  }
  const got = importText({ ...dicom, DicomModalities: rows })
  t.equal(
    got.decisions.filter(({ kind, option }) => kind === 'problem' && option.startsWith('DicomModalities.')).length,
    5,
  )
  t.equal(got.config.streams['dicom']?.titles, undefined)
})
