/**
 * Makes what a first run needs and is missing: a private CA, a server certificate, one account; and the configuration
 * that goes with them. What is there is used and never overwritten.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { parseConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { openLocalAccounts } from '../identity/local-accounts.ts'
import { type Authority, authorityFiles, makeAuthority, openAuthority } from '../issuer/authority.ts'
import { issueServer } from '../issuer/leaf.ts'
import { ledgerFile, openLedger } from '../issuer/ledger.ts'
import { writeNewFile } from '../issuer/new-file.ts'
import { randomPassword } from '../issuer/random-password.ts'
import { systemClock } from '../kernel/clock.ts'

export interface QuickStartPlaces {
  /** Where certificates go. */
  readonly certs: string
  readonly state: string
  readonly viewer: string
  readonly orthanc: string
  readonly bind: string
  readonly account: string
}

export interface QuickStart {
  readonly config: Config
  readonly authority: Authority
  /** Shown once: only when the account was made just now. */
  readonly password: string | undefined
  readonly viewerInstalled: boolean
}

const administrators = 'administrators'
/** The group of everybody who holds a certificate of the private CA. */
const holders = 'certificate-holders'

function configText({ certs, state, viewer, orthanc, bind }: QuickStartPlaces, viewerInstalled: boolean): string {
  const quoted = (path: string) => JSON.stringify(path)
  return `
state: ${quoted(state)}
administrators: [${administrators}]
authority: { dir: ${quoted(join(certs, 'authority'))} }
listeners:
  web:
    bind: ${quoted(bind)}
    keystore: { certificate: ${quoted(join(certs, 'server.pem'))}, key: ${quoted(join(certs, 'server.key'))} }
    clients: { certificate: optional, truststore: ${quoted(authorityFiles(join(certs, 'authority')).certificate)} }
realms:
  certificate: { name: commonName, groups: [${holders}] }
  basic: true
upstreams:
  orthanc: { kind: orthanc, url: ${quoted(orthanc)} }
${viewerInstalled ? `  viewer: { kind: ohif, root: ${quoted(viewer)}, dicomWeb: /dicom-web }` : ''}
routes:
  - path: /dicom-web
    upstream: orthanc
    access: &access
      - { groups: [${administrators}], may: everything, dangerous: true }
      - { groups: [${holders}], may: write }
  - { path: /orthanc, upstream: orthanc, strip: true, access: *access }
${viewerInstalled ? '  - { path: /, upstream: viewer, access: authenticated }' : ''}
`
}

export async function prepareQuickStart(places: QuickStartPlaces): Promise<QuickStart> {
  const { certs, state, viewer, account } = places
  mkdirSync(state, { recursive: true, mode: 0o700 })
  mkdirSync(certs, { recursive: true, mode: 0o700 })
  const authorityDir = join(certs, 'authority')
  const authority = existsSync(authorityFiles(authorityDir).key)
    ? await openAuthority(authorityDir)
    : await makeAuthority(authorityDir)
  const pair = { certificate: join(certs, 'server.pem'), key: join(certs, 'server.key') }
  if (!existsSync(pair.certificate) && !existsSync(pair.key)) {
    const names = [...new Set(['localhost', hostname().toLowerCase()])].filter(name => /^[a-z0-9.-]+$/.test(name))
    using ledger = openLedger(join(state, ledgerFile))
    const issued = await issueServer(authority, ledger, { names, ips: ['127.0.0.1', '::1'] })
    writeNewFile(pair.key, issued.keyPem, 0o600)
    writeNewFile(pair.certificate, issued.chainPem, 0o644)
  }

  const accounts = openLocalAccounts({ file: join(state, 'users.yaml'), clock: systemClock })
  let password: string | undefined
  if (accounts.list().length === 0) {
    password = randomPassword()
    await accounts.add({ name: account, groups: [administrators], password })
  }
  const viewerInstalled = existsSync(join(viewer, 'index.html'))
  const loaded = parseConfig(configText(places, viewerInstalled), process.cwd())
  if (!loaded.ok)
    throw new Error(`the quick start wrote a configuration that is wrong: ${JSON.stringify(loaded.problems)}`)
  return { config: loaded.config, authority, password, viewerInstalled }
}
