/**
 * `sallyport explain`: which route, which rule, which answer, and why; from the engine that judges real requests.
 */

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import { type Answer, absent, proven } from '../identity/answer.ts'
import { createCertificateReader } from '../identity/client-certificate.ts'
import { openLocalAccounts } from '../identity/local-accounts.ts'
import type { Principal } from '../identity/principal.ts'
import { systemClock } from '../kernel/clock.ts'
import { decide } from '../policy/decide.ts'
import { explainRules } from '../policy/explain.ts'
import { operationOf } from '../policy/operation.ts'
import { canonicalTarget } from '../route/canonical-path.ts'
import { upstreamPath } from '../route/route.ts'
import { compileRoutes } from '../route/route-table.ts'
import { readTruststore } from '../tls/truststore.ts'
import type { Command } from './command.ts'
import { configFile, configOption, requireConfiguration, usualFile } from './configuration.ts'
import { CommandEnd } from './report.ts'

interface Arguments {
  config?: string | undefined
  url: string
  method: string
  user?: string | undefined
  certificate?: string | undefined
  group?: string[] | undefined
  proof: 'password' | 'session'
}

/** Who asks, as the realms of the configuration would name the holder. */
function whoAsks({ user, certificate, group = [], proof }: Arguments, config: Config): Answer {
  if (certificate !== undefined) return holderOf(certificate, group, config)
  if (user === undefined) return absent
  const local = openLocalAccounts({ file: config.realms.local.file, clock: systemClock }).find(user)
  const groups = new Set([...(local?.groups ?? []), ...group])
  const realm = local === undefined ? ('directory' as const) : ('local' as const)
  const held: Principal['proof'] =
    proof === 'session' ? { kind: 'session', by: 'password', id: 'explain' } : { kind: 'password' }
  return proven({ name: user, realm, groups, proof: held })
}

function holderOf(file: string, group: readonly string[], config: Config): Answer {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(readFileSync(file))
  } catch (cause) {
    throw new CommandEnd(
      2,
      `${file} is no certificate that can be read`,
      `give a PEM or DER file (${cause instanceof Error ? cause.message : 'unreadable'})`,
    )
  }
  const listener = Object.values(config.listeners).find(
    one => one.kind === 'secure' && one.clients.truststore !== undefined,
  )
  const file_ = listener?.kind === 'secure' ? listener.clients.truststore : undefined
  const truststore = file_ === undefined ? undefined : readTruststore(file_, Date.now(), () => undefined)
  if (truststore === undefined)
    throw new CommandEnd(2, 'no listener of this configuration asks for client certificates')
  // The chain is not walked here: an issuer is looked for among the authorities, as the handshake would find it.
  const issuer = truststore.pem
    .map(pem => new X509Certificate(pem))
    .find(one => one.ca && certificate.checkIssued(one) && certificate.verify(one.publicKey))
  const answer = createCertificateReader(config.realms.certificate, truststore)(
    {
      authorized: issuer !== undefined,
      authorizationError: new Error('issued by no authority of the truststore'),
      getPeerX509Certificate: () => certificate,
    },
    Date.now(),
  )
  if (answer.kind !== 'proven') return answer
  return proven({ ...answer.principal, groups: new Set([...answer.principal.groups, ...group]) })
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
        run<Arguments>((argv, report) => {
          const file = configFile(argv.config)
          if (file === undefined)
            throw new CommandEnd(
              2,
              `there is no configuration: no ${usualFile}, and none was named`,
              'name one with --config FILE',
            )
          const { config } = requireConfiguration(file, report)
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
          const answer = whoAsks(argv, config)
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
