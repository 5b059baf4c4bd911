/**
 * `sallyport explain`: which route, which rule, which answer, and why; from the engine that judges real requests.
 */

import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import { type AccountSource, accountsIn } from '../identity/account-file.ts'
import { type Answer, absent, proven } from '../identity/answer.ts'
import { createRevoked } from '../identity/certificate-revocation.ts'
import { createCertificateReader } from '../identity/client-certificate.ts'
import { openLocalAccounts } from '../identity/local-accounts.ts'
import type { Principal } from '../identity/principal.ts'
import { type Ledger, ledgerFile, openLedger } from '../issuer/ledger.ts'
import { systemClock } from '../kernel/clock.ts'
import { decide } from '../policy/decide.ts'
import { explainRules } from '../policy/explain.ts'
import { operationOf } from '../policy/operation.ts'
import { canonicalTarget } from '../route/canonical-path.ts'
import { upstreamPath } from '../route/route.ts'
import { compileRoutes } from '../route/route-table.ts'
import { pathsToAuthority } from '../tls/certificate-path.ts'
import { pemCertificates } from '../tls/keystore.ts'
import { readTruststore } from '../tls/truststore.ts'
import type { Command } from './command.ts'
import { type Configuration, configFile, configOption, requireConfiguration, usualFile } from './configuration.ts'
import { openConfiguredState, sharedIn } from './configured-state.ts'
import { CommandEnd, type Report } from './report.ts'

interface Arguments {
  config?: string | undefined
  url: string
  method: string
  user?: string | undefined
  certificate?: string | undefined
  group?: string[] | undefined
  proof: 'password' | 'session'
  listener?: string | undefined
}

/** Who asks, as the realms of the configuration would name the holder. */
function whoAsks({ user, certificate, group = [], proof, listener }: Arguments, config: Config, known: Known): Answer {
  if (certificate !== undefined) return holderOf({ file: certificate, group, listener }, config, known.ledger)
  if (user === undefined) return absent
  const local = openLocalAccounts({ file: known.accounts, clock: systemClock }).find(user)
  const groups = new Set([...(local?.groups ?? []), ...group])
  const realm = local === undefined ? ('directory' as const) : ('local' as const)
  const held: Principal['proof'] =
    proof === 'session' ? { kind: 'session', by: 'password', id: 'explain' } : { kind: 'password' }
  return proven({ name: user, realm, groups, proof: held })
}

function holderOf(
  { file, group, listener: name }: { file: string; group: readonly string[]; listener: string | undefined },
  config: Config,
  ledger: Ledger | undefined,
): Answer {
  let chain: X509Certificate[]
  try {
    const bytes = readFileSync(file)
    const blocks = pemCertificates(bytes.toString('latin1'))
    chain = blocks.length === 0 ? [new X509Certificate(bytes)] : blocks.map(pem => new X509Certificate(pem))
  } catch (cause) {
    throw new CommandEnd(
      2,
      `${file} is no certificate that can be read`,
      `give a PEM or DER file (${cause instanceof Error ? cause.message : 'unreadable'})`,
    )
  }
  const [certificate, ...sent] = chain
  const asking = Object.entries(config.listeners).filter(
    ([own, one]) => one.kind === 'secure' && one.clients.certificate !== 'none' && (name === undefined || own === name),
  )
  const [, listener] = asking[0] ?? []
  const clients = listener?.kind === 'secure' ? listener.clients : undefined
  const truststore =
    clients?.truststore === undefined ? undefined : readTruststore(clients.truststore, Date.now(), () => undefined)
  if (certificate === undefined || clients === undefined || truststore === undefined) {
    const which = name === undefined ? 'no listener of this configuration' : `the listener ${name}`
    throw new CommandEnd(2, `${which} asks for client certificates, or its truststore cannot be read`)
  }
  const revoked = ledger === undefined ? () => undefined : createRevoked({ ledger, lists: undefined })
  const trust = { truststore, depth: clients.depth, only: clients.only }
  const answer = createCertificateReader({ realms: config.realms.certificate, trust, revoked })(
    {
      // As far as signatures go; use and strength are OpenSSL's to judge, in a handshake.
      authorized: (pathsToAuthority(certificate, sent, truststore.authorities, Date.now()) ?? []).length > 0,
      authorizationError: new Error('issued by no authority of the truststore'),
      getPeerX509Certificate: () => certificate,
      sent,
    },
    Date.now(),
  )
  if (answer.kind !== 'proven' && answer.kind !== 'to-look-up') return answer
  // What the directory would say of the holder comes by --group.
  const principal = answer.kind === 'proven' ? answer.principal : answer.holder
  return proven({ ...principal, groups: new Set([...principal.groups, ...group]) })
}

interface Known extends AsyncDisposable {
  readonly accounts: AccountSource
  /** Undefined: nothing was ever issued here. */
  readonly ledger: Ledger | undefined
}

/** Asking makes no state where there is none. */
async function openKnown(configuration: Configuration, report: Report): Promise<Known> {
  const { state: folder, realms } = configuration.config
  if (sharedIn(configuration) !== undefined) {
    const state = await openConfiguredState(configuration, report)
    const close = () => state[Symbol.asyncDispose]()
    return { accounts: state.localAccounts(realms.local), ledger: state.ledger, [Symbol.asyncDispose]: close }
  }
  const file = join(folder, ledgerFile)
  const ledger = existsSync(file) ? openLedger(file) : undefined
  return {
    ...{ accounts: accountsIn(realms.local.file), ledger },
    [Symbol.asyncDispose]: async () => ledger?.[Symbol.dispose](),
  }
}

export const explain: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport explain --url URL [--method M] [--user NAME | --certificate FILE] [--group G …]\n\nTells which route and rule a request meets, and what comes of it.',
      )
      .options({
        ...configOption,
        url: { type: 'string', demandOption: true, requiresArg: true, describe: 'the whole URL, or a path' },
        method: { type: 'string', default: 'GET', requiresArg: true, describe: 'the HTTP method' },
        user: {
          type: 'string',
          requiresArg: true,
          conflicts: 'certificate',
          describe: 'the person who asks; groups of local accounts are known',
        },
        certificate: { type: 'string', requiresArg: true, describe: 'the client certificate of who asks (PEM or DER)' },
        group: {
          type: 'string',
          array: true,
          requiresArg: true,
          describe: 'groups of the person, as the directory would say',
        },
        listener: {
          type: 'string',
          requiresArg: true,
          describe: 'where --certificate comes in (the first that asks for certificates)',
        },
        proof: {
          choices: ['password', 'session'] as const,
          default: 'password' as const,
          describe: 'how --user has proved it',
        },
      })
      .example('sallyport explain --url /dicom-web/studies --user alice --group radiology', '')
      .command(
        '$0',
        false,
        () => undefined,
        run<Arguments>(async (argv, report) => {
          const file = configFile(argv.config)
          if (file === undefined)
            throw new CommandEnd(
              2,
              `there is no configuration: no ${usualFile}, and none was named`,
              'name one with --config FILE',
            )
          const configuration = requireConfiguration(file, report)
          const { config } = configuration
          const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(argv.url)
          const host = (absolute?.[1] ?? '').toLowerCase().replace(/:\d+$/, '')
          const raw = absolute === null ? argv.url : absolute[2] === '' ? '/' : (absolute[2] ?? '/')
          const target = canonicalTarget(raw.startsWith('?') ? `/${raw}` : raw)
          if ('ambiguous' in target) {
            report.result(`400: the path holds ${target.ambiguous}`, { status: 400, reason: target.ambiguous })
            return
          }
          const route = compileRoutes(config).match(host, target.path)
          if (route === undefined || route === 'ambiguous') {
            const status = route === undefined ? 404 : 400
            report.result(
              route === undefined ? `404: no route takes ${target.path}` : '400: the path can be read in two ways',
              { status, path: target.path },
            )
            return
          }
          await using known = await openKnown(configuration, report)
          const answer = whoAsks(argv, config, known)
          const operation = operationOf(route.kind, argv.method.toUpperCase(), upstreamPath(route, target.path))
          const decision = decide(route, operation, answer)
          const principal = answer.kind === 'proven' ? answer.principal : undefined
          const rules = explainRules(route, operation, principal)
          const who =
            principal === undefined
              ? answer.kind === 'refused'
                ? `nobody (${answer.reason}: ${answer.detail})`
                : 'nobody'
              : `${principal.name}, by ${principal.proof.kind}, groups: ${[...principal.groups].join(', ') || 'none'}`
          const outcome = decision.outcome === 'permit' ? 'permit' : `deny: ${decision.reason}`
          report.result(
            [
              `path      ${target.path}`,
              `route     ${route.label} (${route.host ?? 'any host'} ${route.path}) -> ${route.upstream}${route.strip ? ', prefix stripped' : ''}`,
              `operation ${operation.method}, needs ${operation.needs}${operation.dangerous ? ', dangerous' : ''}`,
              `who       ${who}`,
              ...(typeof route.access === 'string'
                ? [`access    ${route.access}`]
                : rules.map(({ label, verdict }) => `rule      ${label}: ${verdict}`)),
              `answer    ${outcome}`,
            ].join('\n'),
            {
              path: target.path,
              route: route.label,
              upstream: route.upstream,
              operation,
              who:
                principal === undefined
                  ? null
                  : {
                      name: principal.name,
                      realm: principal.realm,
                      groups: [...principal.groups],
                      proof: principal.proof.kind,
                    },
              rules: rules.map(({ label, verdict }) => ({ rule: label, verdict })),
              outcome: decision.outcome,
              ...(decision.outcome === 'deny' ? { reason: decision.reason } : {}),
            },
          )
        }),
      ),
}
