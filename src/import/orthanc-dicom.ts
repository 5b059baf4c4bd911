/**
 * DICOM over TLS at Orthanc as a stream of the gateway, with the AE titles that are known there.
 *
 * As with HTTP the gateway takes the port that modalities know, and Orthanc moves aside. Which certificate belongs to
 * which title stands nowhere in Orthanc: the draft guesses `CN=` and the name of the modality, which opens nothing to a
 * certificate of another name. Without DicomTlsEnabled there is no stream.
 *
 * Source: OrthancServer Resources/Configuration.json (DicomTls…, DicomModalities), RemoteModalityParameters.cpp (forms).
 */
import type { Tell } from './decision.ts'
import { withheld } from './decision.ts'
import { type DraftMap, type DraftValue, remarked } from './draft.ts'
import type { JsonNode, Members } from './jsonc.ts'
import { movedPort, portOf } from './orthanc-front.ts'
import { type Section, sectionOf } from './orthanc-section.ts'
import { ciphersOf, dicomTerms, minimumOf } from './orthanc-terms.ts'

const files = ['DicomTlsCertificate', 'DicomTlsPrivateKey', 'DicomTlsTrustedCertificates'] as const
const onlyWithTls = ['DicomTlsRemoteCertificateRequired', dicomTerms.minimum, dicomTerms.ciphers]

/** @returns undefined where Orthanc speaks no DICOM over TLS */
export function drawStream(settings: Section, tell: Tell): DraftMap | undefined {
  const isServed = settings.flag('DicomServerEnabled', true)
  const hadTls = settings.flag('DicomTlsEnabled', false)
  const port = portOf(settings, 'DicomPort', 4242, tell)
  const titles = titlesOf(settings, tell)
  const count = Object.keys(titles).length
  const modalities = settings.place('DicomModalities')
  if (!isServed || !hadTls) {
    if (count > 0)
      tell('note', modalities, 'stay there; a stream would hold their AE titles against certificates (titles)')
    for (const key of onlyWithTls)
      if (settings.has(key) && (key !== 'DicomTlsRemoteCertificateRequired' || !settings.flag(key, true)))
        tell('note', settings.place(key), 'is not used by Orthanc for what comes in, as DicomTlsEnabled is false')
    tellOutgoing(settings, 'is used by Orthanc itself, for the associations that it opens (UseDicomTls)', tell)
    if (!isServed)
      tell('note', settings.place('DicomServerEnabled'), 'is false: there is no DICOM to put a gate before')
    else {
      tell(
        'decide',
        settings.place(hadTls ? 'DicomTlsEnabled' : 'DicomPort'),
        `DICOM goes unencrypted to port ${port}, past the gate. A stream would change that: streams: { dicom: { bind: "0.0.0.0:2762", protocol: dicom, tls: { floor: dicom-bcp195 }, …, upstream: "tcp://127.0.0.1:${port}" } }`,
      )
    }
    return undefined
  }

  const own = movedPort(port)
  tell(
    'change',
    settings.place('DicomTlsEnabled'),
    `set DicomTlsEnabled to false and DicomPort to ${own}: TLS ends at the gateway, which takes port ${port}. Orthanc's DICOM port cannot be bound to one address: close ${own} to others in the firewall`,
  )
  if (settings.flag('DicomCheckModalityHost', false))
    tell(
      'change',
      settings.place('DicomCheckModalityHost'),
      'set it to false: behind the gate every association comes from 127.0.0.1; titles and certificates are held against each other instead',
    )
  tellOutgoing(settings, 'is still used by Orthanc itself, for the associations that it opens (UseDicomTls)', tell)

  if (count > 0)
    tell(
      'decide',
      modalities,
      `which certificate may call itself by which AE title stands nowhere in Orthanc; the draft guesses CN= and the name of the modality: look at each under streams.dicom.titles ("sallyport certs show FILE" shows the name in a certificate)`,
    )
  else
    tell('note', modalities, 'names nobody: the stream takes any AE title from a certificate that is trusted (titles)')

  const required = settings.flag('DicomTlsRemoteCertificateRequired', true)
  if (!required)
    tell(
      'decide',
      settings.place('DicomTlsRemoteCertificateRequired'),
      'lets modalities in that show no certificate; the draft takes their association and refuses them. access: everyone, without titles, would let them in, and everybody else too',
    )
  const [certificate, key, truststore] = files.map(name => fileOf(settings, name, tell))
  const minimum = settings.whole(dicomTerms.minimum) === 0 ? undefined : minimumOf(settings, dicomTerms.minimum, tell)
  const ciphers = ciphersOf(settings, dicomTerms.ciphers, settings.whole(dicomTerms.minimum) === 5, tell)
  const profile = 'Orthanc: BCP 195 profile where DicomTlsMinimumProtocolVersion is 0'
  return {
    bind: remarked(`0.0.0.0:${port}`, 'DicomPort'),
    protocol: 'dicom',
    tls: { floor: remarked('dicom-bcp195', profile), minimum, ciphers },
    keystore: { certificate, key },
    clients: { certificate: required ? 'required' : 'optional', truststore },
    upstream: `tcp://127.0.0.1:${own}`,
    titles:
      count === 0
        ? undefined
        : remarked(
            titles,
            'certificate -> the AE titles that it may call itself by; a certificate not named here is refused',
          ),
    access: 'authenticated',
  }
}

const usual = new Map<string, string>([
  ['DicomTlsCertificate', 'certs/dicom.pem'],
  ['DicomTlsPrivateKey', 'certs/dicom.key'],
  ['DicomTlsTrustedCertificates', 'certs/dicom-nodes.pem'],
])

function fileOf(settings: Section, key: (typeof files)[number], tell: Tell): DraftValue {
  const path = settings.path(key)
  const instead = usual.get(key) ?? key
  if (path === undefined)
    tell('decide', settings.place(key), `is not written, and needed; put the file where the draft says: ${instead}`)
  return remarked(path ?? instead, key)
}

function tellOutgoing(settings: Section, message: string, tell: Tell): void {
  for (const key of files) if (settings.has(key)) tell('note', settings.place(key), message)
}

/** Certificate name -> AE titles, a guess for each modality. */
function titlesOf(settings: Section, tell: Tell): Record<string, readonly string[]> {
  if (settings.flag('DicomModalitiesInDatabase', false))
    tell(
      'decide',
      settings.place('DicomModalitiesInDatabase'),
      'is true: the modalities are in the database, not here; GET /modalities?expand shows their AE titles, which belong into titles',
    )
  const modalities = settings.section('DicomModalities')
  const titles: Record<string, readonly string[]> = {}
  for (const name of modalities?.keys() ?? []) {
    const node = modalities?.node(name)
    const place = modalities?.place(name) ?? { option: 'DicomModalities' }
    const { value: title, touched } = (node === undefined ? undefined : titleIn(node)) ?? { value: undefined }
    if (touched !== undefined) {
      tell('decide', place, `${withheld(touched)}; write its AE title into titles`)
      continue
    }
    if (typeof title !== 'string' || !/^[\w-]+$/.test(name)) {
      tell(
        'problem',
        place,
        'needs [ "AET", "host", port ] or { "AET": …, "Host": …, "Port": … }, with a name of letters, digits, - and _',
      )
      continue
    }
    if (!/^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(title.trim())) {
      tell('problem', place, 'has an AE title that is none: 1 to 16 characters of ASCII, no backslash')
      continue
    }
    titles[`CN=${name}`] = [title.trim()]
    if (node?.value instanceof Map && sectionOf(node.value, tell).flag('UseDicomTls', false))
      tell(
        'note',
        { ...place, option: `${place.option}.UseDicomTls` },
        'Orthanc itself opens these associations, past the gateway, with its own certificate',
      )
  }
  return titles
}

function titleIn({ value }: JsonNode): JsonNode | undefined {
  if (value instanceof Map) return (value as Members).get('AET')
  return Array.isArray(value) ? value[0] : undefined
}
