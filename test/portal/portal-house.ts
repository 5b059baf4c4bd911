/**
 * The portal behind a real listener, with real sessions, real certificates and real policy; only the password check is
 * a literal, and the upstreams are a word.
 *
 * The walk here is a short form of the pipeline's: identify, then the portal's own pages, or policy and its refusals.
 */
import { join } from 'node:path'
import type { Test } from 'tap'
import type { AuditEvent } from '../../src/audit/event.ts'
import { CertificateRealms } from '../../src/config/certificate-realm.ts'
import { configSchema } from '../../src/config/schema.ts'
import { proven, refused } from '../../src/identity/answer.ts'
import { identify } from '../../src/identity/authenticator.ts'
import { createBasicCheck } from '../../src/identity/basic-credentials.ts'
import { createHolderReader } from '../../src/identity/certificate-holders.ts'
import { createCertificateReader } from '../../src/identity/client-certificate.ts'
import type { PasswordCheck } from '../../src/identity/password-realms.ts'
import { openSessionStore } from '../../src/identity/session-store.ts'
import { createStanding } from '../../src/identity/standing.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import { asFault, Fault, type FaultCode } from '../../src/kernel/fault.ts'
import type { PasswordNotice } from '../../src/ldap/person.ts'
import type { Exchange } from '../../src/listener/exchange.ts'
import { crossSiteProblem } from '../../src/policy/cross-site.ts'
import { decide, denyCrossSite } from '../../src/policy/decide.ts'
import { operationOf } from '../../src/policy/operation.ts'
import { createPortal } from '../../src/portal/portal.ts'
import { canonicalTarget } from '../../src/route/canonical-path.ts'
import { upstreamPath } from '../../src/route/route.ts'
import { compileRoutes } from '../../src/route/route-table.ts'
import { readTruststore } from '../../src/tls/truststore.ts'
import { type Answered, type Asked, type FrontDoor, startFrontDoor } from '../fixture/front-door.ts'

export const alicesPassword = 'correct horse'

export interface HouseOptions {
  readonly certificate?: 'none' | 'optional' | 'required'
  readonly basic?: boolean
  readonly audit?: (event: AuditEvent) => Promise<void>
}

export interface House extends FrontDoor {
  readonly events: AuditEvent[]
  /** What the password check was asked. */
  readonly asked: [name: string, password: string, address: string][]
  readonly sessions: ReturnType<typeof openSessionStore>
}

const config = configSchema(path => path).parse({
  administrators: ['pacs-admins'],
  listeners: { web: { bind: '127.0.0.1:0', keystore: { certificate: 'unused' } } },
  upstreams: {
    viewer: { kind: 'ohif', root: 'unused' },
    orthanc: { kind: 'orthanc', url: 'http://10.9.8.7:8042' },
    omero: { kind: 'omero-web', url: 'http://10.9.8.7:4080' },
    'lab-notes': { kind: 'generic', url: 'http://10.9.8.7:9000' },
  },
  routes: [
    { path: '/', upstream: 'viewer', access: 'authenticated' },
    { path: '/omero', upstream: 'omero', access: 'everyone' },
    {
      path: '/dicom-web',
      upstream: 'orthanc',
      access: [
        { groups: ['pacs-admins'], may: 'everything', dangerous: true },
        { groups: ['radiology'], may: 'read' },
        { people: ['mallory-secret-name'], may: 'read' },
      ],
    },
    {
      path: '/orthanc',
      upstream: 'orthanc',
      strip: true,
      access: [{ groups: ['pacs-admins'], may: 'everything', dangerous: true, proof: ['certificate'] }],
    },
    { path: '/notes', upstream: 'lab-notes', access: [{ groups: ['researchers', 'pacs-admins'], may: 'read' }] },
  ],
})

const people: Record<string, readonly string[]> = {
  alice: ['radiology'],
  root: ['pacs-admins', 'radiology'],
  '<b>eve</b> & "co"': [`<i>group</i>`],
  nobody: [],
  changed: ['radiology'],
  ending: ['radiology'],
  grace: ['radiology'],
  'last-grace': ['radiology'],
}

const notices: Readonly<Record<string, PasswordNotice>> = {
  ending: { expiresIn: 3 * 86_400 },
  grace: { graceLeft: 2 },
  'last-grace': { graceLeft: 0 },
}

const local = {
  find: (name: string) =>
    Object.hasOwn(people, name) ? { name, groups: [...(people[name] ?? [])], locked: false, createdAt: '' } : undefined,
  version: () => undefined,
}

const standing = createStanding({ local, accounts: { find: () => undefined } })

const passwordsOf = (asked: House['asked']): PasswordCheck => ({
  async verify(name, password, address) {
    asked.push([name, password, address])
    if (name === 'directory-down') throw new Fault('directory-unavailable', { about: 'ldaps://10.1.2.3' })
    if (name === 'many') return refused('throttled', 'too many', { claimed: name, retryAfter: 42.2 })
    if (name === 'expired') return refused('password-expired', 'data 532', { claimed: name })
    if (name === 'new') return refused('password-must-change', 'data 773', { claimed: name })
    const groups = Object.hasOwn(people, name) ? people[name] : undefined
    if (groups === undefined || password !== alicesPassword)
      return refused('wrong-credentials', 'wrong', { claimed: name })
    const proof = { kind: 'password', standing: name === 'changed' ? 'of then' : standing(name) } as const
    const principal = { name, realm: 'local', groups: new Set(groups), proof } as const
    const notice = notices[name]
    return { ...proven(principal), ...(notice !== undefined && { notice }) }
  },
})

export async function startHouse(t: Test, options: HouseOptions = {}): Promise<House> {
  const { certificate = 'optional', basic = true } = options
  const clock = systemClock
  const now = () => clock.now()
  const file = join(t.testdir(), 'sallyport.db')
  const sessions = openSessionStore({ file, idle: 30 * 60_000, absolute: 12 * 3_600_000, clock })
  t.teardown(() => sessions[Symbol.dispose]())
  const events: AuditEvent[] = []
  const asked: House['asked'] = []
  const passwords = passwordsOf(asked)
  const routes = compileRoutes(config)
  const portal = await createPortal({
    passwords,
    sessions,
    standing,
    basic,
    routes,
    administrators: config.administrators,
    upstreams: [
      { name: 'orthanc', section: { kind: 'orthanc' }, health: { state: 'up', since: now() - 3 * 3_600_000 } },
      { name: 'omero', section: { kind: 'omero-web' }, health: { state: 'down', since: now() - 95_000 } },
      { name: 'lab-notes', section: { kind: 'generic' }, health: { state: 'unknown', since: now() } },
    ],
    async audit(_id, event) {
      await options.audit?.(event)
      events.push(event)
    },
    now,
  })

  const handle = async (exchange: Exchange): Promise<void> => {
    const { request, connection } = exchange
    const target = canonicalTarget(request.target)
    if ('ambiguous' in target) return portal.badRequest(exchange, `the path holds ${target.ambiguous}`)
    const identity = await identify(
      {
        headers: request.headers,
        peer: connection.socket,
        address: connection.address,
        certificate,
        authorizationPasses: false,
        isPing: false,
        place: 'own-page',
      },
      {
        certificates,
        sessions,
        accounts: undefined,
        local,
        provider: 'chained',
        basic: basic ? createBasicCheck({ passwords, standing, clock }) : undefined,
        now,
      },
    )
    const { answer } = identity
    if (certificate === 'required' && answer.kind === 'refused' && answer.reason.startsWith('certificate-')) {
      return portal.refuse(exchange, { outcome: 'deny', reason: answer.reason, loginHelps: false, refusal: answer })
    }
    if (portal.handles(target.path)) return await portal.serve(exchange, target.path, target.query, identity)
    const foreign = crossSiteProblem(
      { ...request, webSocket: false },
      { allowed: new Set(), publicOrigin: undefined },
      undefined,
    )
    if (foreign !== undefined) return portal.refuse(exchange, denyCrossSite(foreign, undefined))
    // Places where a test wants something to be broken.
    const broken = /^\/fault\/([a-z-]+)\/?([a-z-]*)$/.exec(target.path)
    if (broken !== null) {
      // Safe: the tests name codes that exist.
      return portal.fault(
        exchange,
        new Fault(broken[1] as FaultCode, { about: 'http://10.9.8.7:4080' }),
        broken[2] || undefined,
      )
    }
    if (target.path === '/wrong-name') return portal.misdirected(exchange)
    const route = routes.match(request.authority, target.path)
    if (route === undefined || route === 'ambiguous') return portal.notFound(exchange)
    const decision = decide(route, operationOf(route.kind, request.method, upstreamPath(route, target.path)), answer)
    if (decision.outcome === 'deny') return portal.refuse(exchange, decision)
    exchange.reply.send(200, [], `upstream for ${decision.principal?.name ?? 'everyone'}`)
  }

  const door = await startFrontDoor(t, handle, {
    certificate,
    onThrown(thrown, exchange) {
      if (!(thrown instanceof Fault)) t.fail('the portal threw', { thrown })
      portal.fault(exchange, asFault(thrown))
    },
  })
  const truststore = certificate === 'none' ? undefined : readTruststore(door.authority.caFile, now(), () => undefined)
  const certificates = createHolderReader({
    readCertificate: createCertificateReader({
      realms: CertificateRealms.parse({ groups: ['nodes'] }),
      trust: { truststore, depth: 0, only: undefined },
      revoked: () => undefined,
    }),
    verdicts: undefined,
    spell: name => name,
  })
  return { ...door, events, asked, sessions }
}

/** Keeps cookies and fills in forms as a browser would, and says what a browser says of itself. */
export class Surfer {
  readonly jar = new Map<string, string>()
  readonly #house: House
  readonly #client: Asked['client']

  constructor(house: House, client?: Asked['client']) {
    this.#house = house
    this.#client = client
  }

  async visit(path: string, { headers = {}, ...asked }: Asked = {}): Promise<Answered> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await this.#house.ask(path, {
      ...asked,
      headers: {
        accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
        'user-agent': 'Mozilla/5.0',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-site': 'same-origin',
        ...(cookie !== '' && { cookie }),
        ...headers,
      },
      ...(this.#client && { client: this.#client }),
    })
    for (const line of answer.cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/Max-Age=0/.test(line)) this.jar.delete(name)
      else this.jar.set(name, value)
    }
    return answer
  }

  async send(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Answered> {
    const origin = this.#house.url
    return await this.visit(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin, ...headers },
      body: new URLSearchParams(fields).toString(),
    })
  }

  /** Opens the login page and fills it in. */
  async signIn(name: string, password = alicesPassword, path = '/-/login'): Promise<Answered> {
    const form = await this.visit(path)
    return await this.send('/-/login', { ...hiddenFields(form.text), name, password })
  }
}

/** The hidden fields of the last form on the page. */
export function hiddenFields(page: string): Record<string, string> {
  const form = page.slice(page.lastIndexOf('<form'))
  const fields: Record<string, string> = {}
  for (const [, name = '', value = ''] of form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)) {
    fields[name] = value.replaceAll('&amp;', '&').replaceAll('&#39;', "'").replaceAll('&quot;', '"')
  }
  return fields
}
