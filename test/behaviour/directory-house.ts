/**
 * A gateway whose people stand in a real slapd: certificates are looked up there, passwords asked, groups followed.
 *
 * Its clock stands still until a test moves it. Not to forget: accounts are read and locked over a connection of their
 * own, as commands do it.
 */
import { join } from 'node:path'
import type { Test } from 'tap'
import type { DirectoryAccounts } from '../../src/identity/directory-account.ts'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { startAuthority, type TestAuthority } from '../fixture/authority.ts'
import { groupDn } from '../fixture/directory-tree.ts'
import { type GatewayOptions, startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { type Slapd, type SlapdOptions, startSlapd } from '../fixture/slapd.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { startUpstream, type Upstream } from '../fixture/upstream.ts'
import { type MovedClock, movedClock } from '../identity/moved-clock.ts'
import { respondToAll } from './all-open.ts'

export interface DirectoryHouseOptions extends Partial<GatewayOptions> {
  readonly slapd?: SlapdOptions
  /** YAML inside `realms.certificate`, besides `directory: true`. */
  readonly holders?: string
  /** YAML inside `realms.directory`. */
  readonly directory?: string
  /** YAML inside `realms`. */
  readonly realms?: string
  /** YAML of the route's access; absent: radiology reads. */
  readonly access?: string
}

export interface DirectoryHouse {
  readonly slapd: Slapd
  readonly gateway: TestGateway
  readonly authority: TestAuthority
  readonly upstream: Upstream
  readonly clock: MovedClock
  readonly accounts: DirectoryAccounts
  /** How many searches there were for people. */
  asked(): number
  /** Puts people into a group, or takes them out. */
  regroup(change: 'add' | 'delete', group: string, dn: string): Promise<void>
  /** The configuration with these options changed; for `gateway.reload`. */
  yaml(changed?: DirectoryHouseOptions): string
}

/** Call requireReal(t, slapdTools) first. */
export async function startDirectoryHouse(t: Test, options: DirectoryHouseOptions = {}): Promise<DirectoryHouse> {
  const authority = options.authority ?? (await startAuthority(t))
  const slapd = await startSlapd(t, options.slapd)
  const upstream = await startUpstream(t, respondToAll)
  const echo = await startTcpUpstream(t, { keeps: false, onConnection: socket => socket.pipe(socket) })
  const { certFile, keyFile } = await authority.server(['localhost'], ['127.0.0.1'])
  const yaml = (changed: DirectoryHouseOptions = {}) => {
    const { holders = 'groups: [nodes]', directory = '', realms = '', access } = { ...options, ...changed }
    const rules = access ?? '[{ groups: [radiology], may: read }]'
    return `
realms:
  certificate: { ${['directory: true', holders].join(', ')} }
  directory:
    enabled: true
    urls: ["${slapd.url}"]
    username: "${slapd.reader.dn}"
    password: { file: reader-password }
    base: ${slapd.base}
    userMapping: omeName=uid
    newUserGroup: ":query:(member=@{dn})"
    syncOnLogin: true
    ${directory}
  local: { file: state-users.yaml }
  basic: true
  ${realms}
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /open, upstream: app, access: everyone }
  - { path: /, upstream: app, access: ${rules} }
streams:
  raw:
    bind: 127.0.0.1:0
    protocol: raw
    keystore: { certificate: ${certFile}, key: ${keyFile} }
    clients: { certificate: required, truststore: ${authority.caFile} }
    upstream: "tcp://127.0.0.1:${echo.port}"
    access: ${access === undefined ? '[{ groups: [radiology] }]' : 'authenticated'}
`
  }
  const clock = movedClock(Date.now())
  const gateway = await startTestGateway(t, {
    ...options,
    ...{ authority, clock, yaml: yaml() },
    files: { 'reader-password': slapd.reader.password },
  })
  const accounts = openDirectoryAccounts({ file: join(gateway.dir, 'state', 'sallyport.db') })
  t.teardown(() => accounts[Symbol.dispose]())
  return {
    ...{ slapd, gateway, authority, upstream, clock, accounts, yaml },
    asked: () => slapd.operations().filters.filter(filter => filter.includes('(uid=')).length,
    regroup: (change, group, dn) =>
      slapd.modify(`dn: ${groupDn(group)}\nchangetype: modify\n${change}: member\nmember: ${dn}\n`),
  }
}
