/**
 * Options that become no key of the draft, each with the reason; and the names of all that nobody has asked for.
 *
 * Source: OrthancServer Resources/Configuration.json and Sources/main.cpp; orthanc-dicomweb Plugin/Configuration.cpp.
 */
import type { DecisionKind, Tell } from './decision.ts'
import { quoted } from './decision.ts'
import type { JsonValue } from './jsonc.ts'
import type { Section } from './orthanc-section.ts'

interface Staying {
  readonly option: string
  /** When it is worth a word; absent: whenever it is written. */
  readonly when?: (value: JsonValue) => boolean
  readonly kind: DecisionKind
  readonly message: string
}

const isTrue = (value: JsonValue) => value === true
const isFalse = (value: JsonValue) => value === false

const staying: readonly Staying[] = [
  {
    option: 'KeepAlive',
    when: isFalse,
    kind: 'change',
    message: 'set it to true: every request of the gateway needs a connection of its own otherwise',
  },
  {
    option: 'KeepAliveTimeout',
    kind: 'note',
    message:
      'stays there: the gateway gives up an idle connection to Orthanc after 0.7 s, before Orthanc does after 1 s or more',
  },
  {
    option: 'HttpRequestTimeout',
    kind: 'note',
    message:
      'stays there: Orthanc itself ends an upload that stalls for so long. The span of the gateway is limits.idle of the listener (2 min): it counts while Orthanc thinks, too, so the two are not the same',
  },
  {
    option: 'HttpTimeout',
    kind: 'note',
    message:
      'is how long Orthanc gives a whole call; for an upstream of the draft it is timeouts.idle, the time without a byte',
  },
  { option: 'TcpNoDelay', kind: 'note', message: 'stays there; the gateway never waits to fill packets' },
  {
    option: 'HttpCompressionEnabled',
    when: isTrue,
    kind: 'change',
    message:
      'set it to false: the gateway asks Orthanc for nothing compressed, since that costs more than it saves on this short way',
  },
  {
    option: 'WebDavEnabled',
    when: isTrue,
    kind: 'decide',
    message:
      'offers /webdav/; through the gate it wants dangerous: true in a rule. Set it to false where nobody uses it',
  },
  {
    option: 'WebDavUploadAllowed',
    when: isTrue,
    kind: 'note',
    message: 'uploads through /webdav/ are "dangerous" for the gateway, as all of WebDAV is',
  },
  {
    option: 'WebDavDeleteAllowed',
    when: isTrue,
    kind: 'decide',
    message: 'lets whoever may use /webdav/ delete there; rules of the gateway cannot tell that from reading it',
  },
  {
    option: 'ExecuteLuaEnabled',
    when: isTrue,
    kind: 'decide',
    message: 'lets /tools/execute-script run code there; through the gate it wants dangerous: true in a rule',
  },
  {
    option: 'OrthancPeersInDatabase',
    when: isTrue,
    kind: 'decide',
    message: 'is true: the peers are in the database, not here; GET /peers?expand shows them',
  },
  {
    option: 'HttpProxy',
    when: value => value !== '',
    kind: 'decide',
    message: 'is the proxy by which Orthanc calls others; the gateway calls its upstreams directly',
  },
  {
    option: 'Pkcs11',
    kind: 'decide',
    message: "is Orthanc's smart card or HSM for calling peers; the gateway wants certificate and key in files",
  },
  {
    option: 'Authorization',
    kind: 'decide',
    message:
      "is the authorization plugin and stays there. It sees every request as the gateway's: give it X-Remote-User (TokenHttpHeaders), which the gateway sets and strips from clients, or let the rules of the gateway do its work",
  },
  {
    option: 'StrictAetComparison',
    kind: 'note',
    message: 'stays there: how Orthanc compares AE titles with its own list',
  },
]

/** Orthanc's word for options that may concern TLS, passwords or certificates. */
const telling = /Ssl|Tls|^Https?[A-Z]|Password|Certificate|Authenticat|Credential|Token|RegisteredUsers/

/** To be called last: it lists what nobody has asked for. */
export function tellRest(settings: Section, tell: Tell): void {
  for (const { option, when, kind, message } of staying) {
    const value = settings.node(option)?.value
    if (value !== undefined && (when === undefined || when(value))) tell(kind, settings.place(option), message)
  }
  if (!settings.has('WebDavEnabled') && settings.flag('HttpServerEnabled', true))
    tell(
      'note',
      { option: 'WebDavEnabled' },
      'is true where it is not written; through the gate /webdav/ wants dangerous: true in a rule',
    )
  const left = settings.unread()
  const harmless = new Set(['HttpVerbose', 'HttpDescribeErrors'])
  for (const key of left.filter(name => telling.test(name) && !harmless.has(name)))
    tell('decide', settings.place(key), 'is not known to this import; look whether it must be said to the gateway')
  const others = left.filter(name => !telling.test(name) || harmless.has(name))
  if (others.length > 0)
    tell(
      'note',
      { option: '' },
      `${others.length === 1 ? 'one option concerns' : `${others.length} options concern`} Orthanc alone and stay there: ${others.map(key => (/^\w+$/.test(key) ? key : quoted(key))).join(', ')}`,
    )
}

/** The DICOMweb plugin makes addresses of its own, which must lead through the gate. */
export function tellDicomWeb(dicomWeb: Section | undefined, tell: Tell): void {
  if (dicomWeb === undefined) return
  for (const key of ['Host', 'Ssl'])
    if (dicomWeb.has(key))
      tell(
        'change',
        dicomWeb.place(key),
        'take it out: with Host, the plugin names that host in RetrieveURL and BulkDataURI whatever the gateway says, and viewers go there, past the gate',
      )
  if (dicomWeb.flag('ServersInDatabase', false))
    tell(
      'decide',
      dicomWeb.place('ServersInDatabase'),
      'is true: the DICOMweb servers are in the database, not here; GET /dicom-web/servers?expand shows them',
    )
  const root = dicomWeb.text('Root')
  if (root !== undefined && !/^\/?dicom-web\/?$/.test(root))
    tell(
      'note',
      dicomWeb.place('Root'),
      'is not /dicom-web/; say the same to a viewer (dicomWeb of an upstream of kind ohif)',
    )
  const left = dicomWeb.unread().filter(key => key !== 'Root')
  if (left.length > 0) tell('note', { option: 'DicomWeb' }, `${left.map(quoted).join(', ')} stay there`)
}
