/**
 * `sallyport certs authority`, `certs server`, `certs client`: makes the private CA, and certificates from it.
 *
 * What was made is the result (stdout); what to do with it next is advice (stderr). The one fact not to forget: a
 * password that was made here is shown once and kept nowhere; one that came from a file is never shown.
 */
import { authorityFiles, makeAuthority } from '../issuer/authority.ts'
import { type CertificateFacts, describeCertificates } from '../issuer/describe.ts'
import { type IssuedEntry, stateOf } from '../issuer/issued-entry.ts'
import type { KeyKind } from '../issuer/keys.ts'
import { issueClient, issueServer, longestServerDays } from '../issuer/leaf.ts'
import { fileStem } from '../issuer/names.ts'
import type { Pkcs12Format } from '../issuer/pkcs12.ts'
import { makeSelfSigned } from '../issuer/self-signed.ts'
import { authorityPassword, authorityPlace, openPlace, openPlaceLedger } from './certs-authority.ts'
import {
  type CertificateFiles,
  type ContainerTerms,
  containerTerms,
  placeFor,
  writeCertificate,
} from './certs-files.ts'
import { daysLeft, validText } from './certs-text.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'
import { refuseForeign } from './state-owner.ts'

interface Common {
  config?: string | undefined
  dir?: string | undefined
  days?: number | undefined
  passwordFile?: string | undefined
}

export interface AuthorityArguments extends Common {
  name?: string | undefined
  key: 'ec-p256' | 'ec-p384'
}

interface LeafArguments extends Common {
  dir: string
  authority?: string | undefined
  authorityPasswordFile?: string | undefined
  format: Pkcs12Format
  key?: KeyKind | undefined
  force: boolean
}

export interface ServerArguments extends LeafArguments {
  names: string[]
  ip: string[]
  clientAuth: boolean
  selfSigned: boolean
}

export interface ClientArguments extends LeafArguments {
  name: string
  email?: string | undefined
}

export async function makeAuthorityFiles(argv: AuthorityArguments, report: Report): Promise<void> {
  checkDays(argv)
  const place = authorityPlace(argv.dir, argv.config, report)
  refuseForeign(place.dir)
  const password = authorityPassword(place, argv.passwordFile, report)
  const { certificatePem } = await makeAuthority(place.dir, {
    curve: argv.key,
    ...(argv.name === undefined ? {} : { name: argv.name }),
    ...(argv.days === undefined ? {} : { days: argv.days }),
    ...(password === undefined ? {} : { password }),
  })
  const facts = await leafOf(certificatePem)
  const files = authorityFiles(place.dir)
  report.result(
    [
      `authority ${facts.subject}`,
      `  ${shownPath(files.certificate)}  its certificate: install this one where it is to be trusted`,
      `  ${shownPath(files.key)}  its key (mode 0600${password === undefined ? '' : ', encrypted'}): who reads it can be anybody`,
      `  valid    ${validText(facts)}`,
      `  SHA-256  ${facts.sha256}`,
    ].join('\n'),
    { ...outcome(facts), files, encrypted: password !== undefined },
  )
  report.note(
    `next: sallyport certs server localhost${argv.dir === undefined ? '' : ` --authority ${shownPath(place.dir)}`}`,
  )
}

export async function makeServerFiles(argv: ServerArguments, report: Report): Promise<void> {
  checkDays(argv)
  if (argv.names.length + argv.ip.length === 0) {
    throw new CommandEnd(
      2,
      'a server certificate needs a name or an address',
      'sallyport certs server imaging.example.org --ip 192.0.2.10',
    )
  }
  const files = placeFor(argv.dir, 'server', argv.force)
  const make = argv.selfSigned
    ? async () => {
        const { certificatePem, keyPem } = await makeSelfSigned(argv.names, argv.ip)
        return { chainPem: certificatePem, keyPem }
      }
    : await serverFromAuthority(argv, report)
  const terms = containerTerms(argv.format, argv.passwordFile, report)
  const { chainPem, keyPem } = await whileMaking(argv.key, report, make)
  const facts = await leafOf(chainPem)
  await writeCertificate(files, { chainPem, keyPem, friendlyName: facts.commonName ?? 'server' }, terms, argv.force)
  tell('server', facts, files, terms, report)
  if (argv.selfSigned)
    report.warn(
      'a self-signed certificate proves nothing to anybody who has not compared its SHA-256; it is for trying things out',
    )
  report.note(
    `use it: keystore: { certificate: ${shownPath(files.certificate)}, key: ${shownPath(files.key)} } (paths relative to the configuration file)`,
  )
}

async function serverFromAuthority(argv: ServerArguments, report: Report) {
  const place = authorityPlace(argv.authority, argv.config, report)
  const authority = await openPlace(place, argv.authorityPasswordFile, report)
  const { names, ip: ips, clientAuth } = argv
  // What the configuration says is for clients too, and those may live longer.
  const days = place.days === undefined ? undefined : Math.min(place.days, longestServerDays)
  return async () => {
    using ledger = await openPlaceLedger(place, report)
    return await issueServer(authority, ledger, { names, ips, clientAuth, ...termsOf(argv, days) })
  }
}

export async function makeClientFiles(argv: ClientArguments, report: Report): Promise<void> {
  checkDays(argv)
  const files = placeFor(argv.dir, fileStem(argv.name), argv.force)
  const place = authorityPlace(argv.authority, argv.config, report)
  const authority = await openPlace(place, argv.authorityPasswordFile, report)
  const terms = containerTerms(argv.format, argv.passwordFile, report)
  const { name, email } = argv
  const wishes = { name, ...(email === undefined ? {} : { email }), ...termsOf(argv, place.days) }
  using ledger = await openPlaceLedger(place, report)
  const { chainPem, keyPem } = await whileMaking(argv.key, report, () => issueClient(authority, ledger, wishes))
  const facts = await leafOf(chainPem)
  await writeCertificate(files, { chainPem, keyPem, friendlyName: name }, terms, argv.force)
  tell('client', facts, files, terms, report)
  noteEarlier(await ledger.list(), facts.serial, name, report)
  report.note(
    `use it: import ${shownPath(files.pkcs12)} into the browser or device; a gateway that trusts ${shownPath(authorityFiles(place.dir).certificate)} knows the holder as "${name}"`,
  )
}

/** A new certificate ends no old one, which people expect of a replaced file. */
function noteEarlier(entries: readonly IssuedEntry[], serial: string, name: string, report: Report): void {
  const now = new Date()
  const earlier = entries.filter(one => one.name === name && one.serial !== serial && stateOf(one, now) === 'good')
  for (const one of earlier)
    report.note(
      `an earlier certificate of "${name}" is still good; to take it back: sallyport certs revoke ${one.serial}`,
    )
}

/** What is no number comes from yargs as NaN. */
function checkDays({ days }: Common): void {
  if (Number.isNaN(days)) throw new CommandEnd(2, '--days wants a number', 'for example --days 365')
}

const termsOf = ({ key, days }: LeafArguments, configured: number | undefined) => {
  const wanted = days ?? configured
  return { ...(key === undefined ? {} : { key }), ...(wanted === undefined ? {} : { days: wanted }) }
}

async function leafOf(pem: string): Promise<CertificateFacts> {
  const [leaf] = await describeCertificates(Buffer.from(pem))
  if (leaf === undefined) throw new Error('what was just made holds no certificate')
  return leaf
}

/** An RSA key takes seconds: the two primes are found by trying. */
async function whileMaking<T>(key: KeyKind | undefined, report: Report, make: () => Promise<T>): Promise<T> {
  if (key === undefined || !key.startsWith('rsa')) return make()
  const progress = report.progress(`making a key (${key})`)
  const begun = Date.now()
  const tick = () => progress.step(undefined, `${Math.floor((Date.now() - begun) / 1000)} s`)
  tick()
  const ticking = setInterval(tick, 200)
  try {
    return await make()
  } finally {
    clearInterval(ticking)
    progress.done()
  }
}

function tell(
  kind: 'server' | 'client',
  facts: CertificateFacts,
  files: CertificateFiles,
  terms: ContainerTerms,
  report: Report,
): void {
  const { dns, addresses, emails } = facts
  const names = [...dns, ...addresses, ...emails]
  const lock = terms.made ? `password, shown only now: ${terms.password}` : 'password: the one from the file'
  report.result(
    [
      `${kind} certificate ${facts.subject}`,
      `  ${shownPath(files.certificate)}  certificate, and the chain behind it`,
      `  ${shownPath(files.key)}  private key (mode 0600)`,
      `  ${shownPath(files.pkcs12)}  both as PKCS#12 (${terms.format}); ${lock}`,
      ...(names.length === 0 ? [] : [`  names    ${names.join(', ')}`]),
      `  valid    ${validText(facts)}`,
      `  issuer   ${facts.issuer}`,
      `  serial   ${facts.serial}`,
      `  SHA-256  ${facts.sha256}`,
    ].join('\n'),
    { kind, ...outcome(facts), files, format: terms.format, ...(terms.made ? { password: terms.password } : {}) },
  )
}

const outcome = (facts: CertificateFacts) => ({
  subject: facts.subject,
  issuer: facts.issuer,
  serial: facts.serial,
  dns: facts.dns,
  addresses: facts.addresses,
  emails: facts.emails,
  notBefore: facts.notBefore,
  notAfter: facts.notAfter,
  daysLeft: daysLeft(facts),
  sha1: facts.sha1,
  sha256: facts.sha256,
  pin: facts.pin,
})
