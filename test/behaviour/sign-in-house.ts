/**
 * A gateway whose sign-ins go to a real slapd, and what became of each: the answer, the groups that an upstream is told,
 * the line in the audit trail, and what the directory was asked.
 */
import { join } from 'node:path'
import type { Test } from 'tap'
import type { DirectoryAccounts } from '../../src/identity/directory-account.ts'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import type { Answered } from '../fixture/front-door.ts'
import { type GatewayOptions, startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { type Slapd, type SlapdOptions, startSlapd } from '../fixture/slapd.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { within } from './app.ts'

export interface SignInHouseOptions extends Partial<Omit<GatewayOptions, 'yaml'>> {
  readonly slapd?: SlapdOptions | Slapd
  /** More of `realms.directory`. */
  readonly directory?: Readonly<Record<string, unknown>>
  /** More of `realms`. */
  readonly realms?: Readonly<Record<string, unknown>>
  /** More of the whole. */
  readonly more?: Readonly<Record<string, unknown>>
}

export interface SignIn {
  readonly answer: Answered
  /** 303 or 200 with a session. */
  readonly isIn: boolean
  /** As the upstream is told; sorted. */
  readonly groups: readonly string[] | undefined
  /** Of the audit trail, if it was refused. */
  readonly detail: string | undefined
  readonly cookie: string | undefined
}

export interface SignInHouse {
  readonly slapd: Slapd
  readonly gateway: TestGateway
  readonly accounts: DirectoryAccounts
  signIn(name: string, password: string): Promise<SignIn>
  /** What the directory was asked meanwhile, without the reader's own binds. */
  asked(what: () => Promise<unknown>): Promise<{ readonly searches: number; readonly binds: number }>
  yaml(changed?: SignInHouseOptions): string
}

const formHeaders = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }

/** Fills in the login page. */
export async function fillIn(gateway: TestGateway, name: string, password: string): Promise<Answered> {
  const form = await gateway.ask('/-/login', { headers: formHeaders })
  const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  return await gateway.ask('/-/login', {
    method: 'POST',
    cookie: form.cookies.map(line => line.split(';')[0]).join('; '),
    headers: { ...formHeaders, 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
    body: new URLSearchParams({ name, password, token, next: '/where' }).toString(),
  })
}

/** Call requireReal(t, slapdTools) first. */
export async function startSignInHouse(t: Test, options: SignInHouseOptions = {}): Promise<SignInHouse> {
  const given = options.slapd ?? {}
  const slapd = 'url' in given ? given : await startSlapd(t, given)
  const upstream = await startUpstream(t)
  const yaml = (changed: SignInHouseOptions = {}): string => {
    const { directory, realms, more } = { ...options, ...changed }
    // JSON is YAML.
    const written = {
      realms: {
        directory: {
          enabled: true,
          urls: [slapd.url],
          username: slapd.reader.dn,
          password: { file: 'reader-password' },
          base: slapd.base,
          userMapping: 'omeName=uid,firstName=givenName,lastName=sn,email=mail',
          newUserGroup: ':query:(member=@{dn})',
          syncOnLogin: true,
          ...directory,
        },
        local: { file: 'state-users.yaml' },
        basic: true,
        ...realms,
      },
      upstreams: { app: { kind: 'generic', url: upstream.url } },
      routes: [{ path: '/', upstream: 'app', access: 'authenticated' }],
      ...more,
    }
    return Object.entries(written)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
      .join('\n')
  }
  const gateway = await startTestGateway(t, {
    certificate: 'none',
    ...options,
    yaml: yaml(),
    files: { 'reader-password': slapd.reader.password, ...options.files },
  })
  const accounts = openDirectoryAccounts({ file: join(gateway.dir, 'state', 'sallyport.db') })
  t.teardown(() => accounts[Symbol.dispose]())
  const refusals = () => gateway.audit().filter(({ kind }) => kind === 'login-refused')

  return {
    ...{ slapd, gateway, accounts, yaml },
    async signIn(name, password) {
      const before = refusals().length
      const answer = await fillIn(gateway, name, password)
      const cookie = answer.cookies.find(line => line.startsWith('__Host-sallyport='))?.split(';')[0]
      const isIn = cookie !== undefined
      if (!isIn) {
        if (answer.status === 401) await within(5_000, () => refusals().length > before)
        const detail = refusals().at(-1)?.['detail']
        return { answer, isIn, groups: undefined, cookie, detail: detail === undefined ? undefined : String(detail) }
      }
      await gateway.ask('/whoami', { cookie })
      const told = upstream.received.at(-1)?.header('x-remote-groups') ?? ''
      const groups = told.split(',').map(decodeURIComponent).toSorted()
      return { answer, isIn, groups, cookie, detail: undefined }
    },
    async asked(what) {
      const count = () => {
        const { searches, bindDns } = slapd.operations()
        return { searches, binds: bindDns.filter(dn => dn !== slapd.reader.dn).length }
      }
      const before = count()
      await what()
      const after = count()
      return { searches: after.searches - before.searches, binds: after.binds - before.binds }
    },
  }
}
