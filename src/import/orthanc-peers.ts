/**
 * Orthanc's peers and DICOMweb servers as upstreams, in all the forms in which Orthanc takes them.
 *
 * Not to forget: Orthanc goes on calling them itself. As upstreams they are there for routes through the gate, and no
 * route is drafted. Passwords, and headers that may be one, stay where they are: the draft names a file or the variable.
 *
 * Source: OrthancFramework Sources/WebServiceParameters.cpp (forms and keys); Orthanc Book, "DICOMweb client". That files
 * of a peer are relative to where Orthanc was started, and all others to its configuration, was tried on Orthanc 1.10.1.
 */
import type { Place, Tell } from './decision.ts'
import { quoted, withheld } from './decision.ts'
import { type DraftMap, type DraftValue, remarked } from './draft.ts'
import { givenName } from './given-name.ts'
import type { JsonNode } from './jsonc.ts'
import { type Section, sectionOf } from './orthanc-section.ts'
import { calledUrl } from './orthanc-url.ts'

/** What holds for all that Orthanc calls. */
export interface Calling {
  /** Undefined: the platform's authorities. */
  readonly ca: string | undefined
  /** Seconds; 0: as long as it takes. */
  readonly timeout: number
}

interface Source {
  readonly kind: 'orthanc' | 'generic'
  readonly servers: Section | undefined
}

/** @param taken  names of upstreams; grows */
export function drawPeers({ kind, servers }: Source, calling: Calling, taken: Set<string>, tell: Tell): DraftMap {
  const upstreams: Record<string, DraftMap> = {}
  for (const written of servers?.keys() ?? []) {
    const node = servers?.node(written)
    const place = servers?.place(written) ?? { option: written }
    const peer = node === undefined ? undefined : peerIn(node, place, tell)
    if (peer === undefined) continue
    const name = givenName(written, taken)
    const upstream = drawPeer(peer, { kind, name, calling, place }, tell)
    if (upstream === undefined) {
      taken.delete(name)
      continue
    }
    upstreams[name] = upstream
    if (name !== written)
      tell('note', place, `is called ${name} in the draft: names are letters, digits, and . _ - inside, each only once`)
  }
  return upstreams
}

/** Of a peer, whatever its form. */
interface Peer {
  readonly url: string
  /** Undefined: it was told why it is not in the draft. */
  readonly username: string | undefined
  readonly password: JsonNode | undefined
  /** Of the long form only. */
  readonly more: Section | undefined
}

function peerIn(node: JsonNode, place: Place, tell: Tell): Peer | undefined {
  if (Array.isArray(node.value)) {
    const items: readonly JsonNode[] = node.value
    const [url, username, password] = items
    if ((items.length !== 1 && items.length !== 3) || items.some(({ value }) => typeof value !== 'string')) {
      tell(
        'problem',
        place,
        items.length === 2
          ? 'names a user and no password; write [ "url", "user", "password" ], or the url alone'
          : 'needs [ "url" ] or [ "url", "user", "password" ]',
      )
      return undefined
    }
    for (const one of [url, username])
      if (one?.touched !== undefined)
        tell('decide', place, `${withheld(one.touched)}; write into the draft what is meant`)
    if (url === undefined || url.touched !== undefined) return undefined
    const user = username?.touched === undefined ? String(username?.value ?? '') : undefined
    return { url: String(url.value), username: user, password, more: undefined }
  }
  if (!(node.value instanceof Map)) {
    tell('problem', place, 'needs [ "url" ], [ "url", "user", "password" ] or { "Url": … }')
    return undefined
  }
  const more = sectionOf(node.value, tell, `${place.option}.`)
  const url = more.text('Url') || more.text('URL') || ''
  if (url === '') {
    if (['Url', 'URL'].some(key => more.node(key)?.touched !== undefined)) return undefined
    tell('problem', place, 'has no Url')
    return undefined
  }
  const username = more.has('Username') ? more.text('Username') : ''
  return { url, username, password: more.has('Password') ? more.secret('Password') : undefined, more }
}

interface Drawing {
  readonly kind: Source['kind']
  readonly name: string
  readonly calling: Calling
  readonly place: Place
}

function drawPeer(
  { url: written, username, password, more }: Peer,
  drawing: Drawing,
  tell: Tell,
): DraftMap | undefined {
  const { kind, name, calling, place } = drawing
  const url = calledUrl(written, place, tell)
  if (url === undefined) return undefined
  const hasTls = url.startsWith('https:')
  const timeout = more?.whole('Timeout') || calling.timeout
  const upstream = {
    kind,
    url,
    tls: hasTls ? trustOf(more, drawing, tell) : withoutTls(more, tell),
    credentials: credentialsOf(username, password, { name, place }, tell),
    timeouts:
      timeout === 0 || timeout > 86_400 ? undefined : { idle: remarked(`${timeout} s`, 'HttpTimeout, Timeout') },
    headers: more === undefined ? undefined : headersOf(more, tell),
  }
  if (more?.flag('Pkcs11', false) === true)
    tell(
      'decide',
      more.place('Pkcs11'),
      'a smart card or HSM cannot be used here; the draft shows no client certificate. It needs one in a file: sallyport certs client NAME',
    )
  const others = more?.unread() ?? []
  if (others.length > 0)
    tell('note', place, `${others.map(quoted).join(', ')}: for Orthanc and its plugins, not for the way there`)
  if (hasTls && calling.ca === undefined)
    tell('note', place, 'is trusted by the authorities of the platform, as HttpsCACertificates is empty')
  return upstream
}

/** How a password comes into the draft: never as text. */
function secretOf(node: JsonNode, file: string, place: Place, tell: Tell): DraftMap {
  const { variable } = node
  if (variable !== undefined && !variable.hasDefault && variable.name !== '') return { env: variable.name }
  tell(
    'decide',
    place,
    `put the password into ${file} (mode 0600); it stands in plain text there, and no draft repeats it`,
  )
  return { file }
}

function credentialsOf(
  username: string | undefined,
  password: JsonNode | undefined,
  { name, place }: Pick<Drawing, 'name' | 'place'>,
  tell: Tell,
): DraftMap | undefined {
  if (username === undefined) return undefined
  const given = password !== undefined && (password.value !== '' || password.variable !== undefined)
  if (username === '') {
    if (given) tell('problem', place, 'has a password and no user name')
    return undefined
  }
  if (username.includes(':')) {
    tell('problem', place, 'has a user name with a colon, which HTTP Basic cannot carry')
    return undefined
  }
  const secret = password === undefined || !given ? undefined : secretOf(password, `secrets/${name}`, place, tell)
  if (secret === undefined)
    tell(
      'decide',
      place,
      `has a user name and an empty password; put one into secrets/${name}, or take credentials out`,
    )
  return { username, password: secret ?? { file: `secrets/${name}` } }
}

function trustOf(more: Section | undefined, { name, calling }: Drawing, tell: Tell): DraftMap {
  const trust = calling.ca === undefined ? { platformCas: true } : { ca: remarked(calling.ca, 'HttpsCACertificates') }
  const pkcs11 = more?.flag('Pkcs11', false) ?? false
  const certificate = more?.path('CertificateFile')
  const key = more?.path('CertificateKeyFile')
  const password = more?.secret('CertificateKeyPassword')
  if (more === undefined || certificate === undefined || pkcs11) {
    if (more !== undefined && certificate === undefined && key !== undefined)
      tell('note', more.place('CertificateKeyFile'), 'is not used by Orthanc either: there is no CertificateFile')
    return trust
  }
  for (const which of ['CertificateFile', 'CertificateKeyFile']) {
    const node = more.node(which)
    if (typeof node?.value === 'string' && node.touched === undefined && /^(?![/\\]|[A-Za-z]:)./.test(node.value))
      tell(
        'decide',
        more.place(which),
        'is relative, for Orthanc to the folder in which it was started; the draft takes the folder of its configuration. See that the file is there',
      )
  }
  const encrypted = password !== undefined && (password.value !== '' || password.variable !== undefined)
  return {
    ...trust,
    certificate: remarked(certificate, 'CertificateFile'),
    key: key === undefined ? undefined : remarked(key, 'CertificateKeyFile'),
    password: encrypted
      ? secretOf(password, `secrets/${name}-key`, more.place('CertificateKeyPassword'), tell)
      : undefined,
  }
}

function withoutTls(more: Section | undefined, tell: Tell): undefined {
  for (const key of ['CertificateFile', 'CertificateKeyFile', 'CertificateKeyPassword'])
    if (more?.has(key) && more.secret(key)?.value !== '')
      tell(
        'decide',
        more.place(key),
        'is of no use over http://: nothing is encrypted there, and nobody asks for a certificate',
      )
}

/** Headers that say nothing about who is asking; any other may be a secret, whatever its name. */
const harmless = /^(accept|accept-(charset|language)|user-agent|cache-control|pragma|prefer|dnt|from)$/i
const framing = /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|expect|host)$/i

function headersOf(more: Section, tell: Tell): DraftValue | undefined {
  const written = more.section('HttpHeaders')
  const headers: Record<string, string> = {}
  for (const name of written?.keys() ?? []) {
    const place = written?.place(name) ?? more.place('HttpHeaders')
    const node = written?.secret(name)
    if (node === undefined) continue
    const value = String(node.value)
    if (framing.test(name) || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || !/^[\x20-\x7e]*$/.test(value))
      tell(
        'decide',
        place,
        'cannot be sent from here: it belongs to the connection, or is no header of printable ASCII',
      )
    else if (!harmless.test(name) || node.touched !== undefined)
      tell(
        'decide',
        place,
        `${node.touched === undefined ? 'may be a secret and is not copied' : withheld(node.touched)}; write it under headers of this upstream where it must be sent`,
      )
    else headers[name] = value
  }
  return Object.keys(headers).length === 0 ? undefined : remarked(headers, 'HttpHeaders')
}
