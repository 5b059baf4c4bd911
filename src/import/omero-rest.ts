/**
 * Settings of OMERO that become no key of the draft: listed by group, each group with the reason.
 *
 * Source: omero-server.properties, omero-common.properties, omeroweb/settings.py (what the groups are about).
 */
import type { DecisionKind, Tell } from './decision.ts'
import { optionOf } from './omero-command.ts'
import type { OmeroSettings } from './omero-property.ts'

interface Group {
  readonly begins: RegExp
  readonly kind: DecisionKind
  readonly option: string
  readonly reason: string
}

const aloneReason = 'OMERO alone is concerned, and they stay there'

/** The first that fits counts. */
const groups: readonly Group[] = [
  {
    begins: /^omero\.ldap\.(?:attributes|values|groups)$/,
    kind: 'decide',
    option: 'omero.ldap',
    reason: 'are of OMERO before 4.2, and not taken; say the same with a user filter and a group filter',
  },
  {
    begins: /^omero\.ldap\.(?:key|trust)Store/,
    kind: 'decide',
    option: 'omero.ldap',
    reason:
      'are called omero.security.… since 4.2, and not taken under this name; ldaps:// wants tls: { ca: FILE } in PEM',
  },
  {
    begins: /^omero\.ldap\./,
    kind: 'decide',
    option: 'omero.ldap',
    reason: 'are not known to this import; look what they are for',
  },
  {
    begins: /^omero\.security\./,
    kind: 'note',
    option: 'omero.security',
    reason: 'rights inside OMERO, which stay there',
  },
  {
    begins: /^omero\.web\./,
    kind: 'note',
    option: 'omero.web',
    reason: 'OMERO.web reads them itself, behind the gate as before it',
  },
  {
    begins: /^omero\.db\./,
    kind: 'note',
    option: 'omero.db',
    reason: 'the database of OMERO, of which the gateway knows nothing',
  },
  {
    begins: /^(?:omero\.(?:glacier2|router|client|ports|upgrades|jms|grid)\.|Ice)/,
    kind: 'note',
    option: 'omero.glacier2',
    reason: "how OMERO's own clients connect; TLS at the gate for them is a stream: config/examples/omero-server.yaml",
  },
  {
    begins: /^omero\.certificates\./,
    kind: 'note',
    option: 'omero.certificates',
    reason:
      'what "omero certificates" makes; "sallyport certs omero" makes the same files from the authority of the gateway',
  },
  {
    begins: /^omero\.sessions\./,
    kind: 'note',
    option: 'omero.sessions',
    reason: 'how long OMERO keeps its own sessions; those of the gateway: sessions.idle and sessions.absolute',
  },
  {
    begins: /^omero\.mail\./,
    kind: 'note',
    option: 'omero.mail',
    reason: 'mail that OMERO sends, which stays there',
  },
  {
    begins:
      /^omero\.(?:data|managed|fs|pixeldata|checksum|jvmcfg|threads|scripts|launcher|process|search|query|metrics|throttling)\./,
    kind: 'note',
    option: 'omero',
    reason: `storage, memory and work of OMERO: ${aloneReason}`,
  },
  { begins: /^omero\./, kind: 'note', option: 'omero', reason: aloneReason },
]

const strangers: Group = {
  begins: /^/,
  kind: 'note',
  option: '',
  reason: 'are no settings of OMERO as its manual knows them; looked at was none of them',
}

/** To be called last: it lists what nobody has asked for. */
export function tellRest(settings: OmeroSettings, tell: Tell): void {
  const listed = Map.groupBy(settings.unread(), key => groups.find(({ begins }) => begins.test(key)) ?? strangers)
  for (const [{ kind, option, reason }, keys] of listed)
    tell(kind, { option }, `${keys.map(optionOf).join(', ')}: ${reason}`)
}
