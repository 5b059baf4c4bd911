/**
 * `sallyport check`: reads the configuration and all files that it names, binds nothing, prints every problem at once.
 */
import { loadConfig } from '../config/load.ts'
import { pathText } from '../config/problem.ts'
import type { BindAddress } from '../config/scalars.ts'
import type { Config } from '../config/schema.ts'
import type { Terms } from '../config/terms.ts'
import { inspectLoaded, type Materials } from '../preflight.ts'
import { signingKey } from '../tls/fitting-keys.ts'
import type { ServerTrust } from '../tls/server-context.ts'
import { checkOnline } from './check-online.ts'
import type { Command } from './command.ts'
import { configFile, configOption, tellProblems, usualFile } from './configuration.ts'
import { CommandEnd } from './report.ts'
import { termsLines } from './terms-text.ts'

interface Arguments {
  config?: string | undefined
  online?: boolean | undefined
}

const bindText = ({ host, port }: BindAddress) => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** What was opened under each address, and on which terms. */
function doorLines(config: Config, materials: Materials): string[] {
  const termsOf = (trust: ServerTrust | undefined, written: Terms) =>
    trust === undefined ? [] : termsLines(trust.terms, written, trust.keystores.map(signingKey))
  const listeners = Object.entries(config.listeners).flatMap(([name, listener]) => {
    const binds = listener.bind.map(bindText).join(', ')
    if (listener.kind === 'plain') return [`listener ${name}: ${binds}, plain, sends people to ${listener.redirect}`]
    return [
      `listener ${name}: ${binds}, client certificates ${listener.clients.certificate}`,
      ...termsOf(materials.listeners.get(name), listener.tls),
    ]
  })
  const streams = Object.entries(config.streams).flatMap(([name, stream]) => [
    `stream ${name}: ${stream.bind.map(bindText).join(', ')}, ${stream.protocol}, client certificates ${stream.clients.certificate}, on to ${bindText(stream.upstream)}`,
    ...termsOf(materials.streams.get(name), stream.tls),
  ])
  return [...listeners, ...streams]
}

export const check: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport check [--config FILE] [--online]\n\nReads the configuration and every file that it names, and prints all problems with path and line. Binds nothing.',
      )
      .options({
        ...configOption,
        online: { type: 'boolean', default: false, describe: 'also connect to each upstream and to the directory' },
      })
      .command(
        '$0',
        false,
        () => undefined,
        run<Arguments>(async ({ config: named, online }, report) => {
          const file = configFile(named)
          if (file === undefined)
            throw new CommandEnd(
              2,
              `there is no configuration to check: no ${usualFile}, and none was named`,
              'name one with --config FILE',
            )
          const loaded = loadConfig(file)
          const { materials, problems } = inspectLoaded(loaded, process.env, Date.now())
          tellProblems(report, file, problems)
          const errors = problems.filter(problem => problem.severity !== 'warning').length
          const shown = problems.map(problem => ({
            ...problem,
            severity: problem.severity ?? 'error',
            path: pathText(problem.path),
          }))
          if (!loaded.ok || materials === undefined) {
            report.result('', { ok: false, file, problems: shown })
            report.fail(2, `${file} has ${errors === 1 ? 'a problem' : `${errors} problems`}`)
            return
          }
          const findings = online === true ? await checkOnline(loaded.config, materials) : []
          const broken = findings.filter(finding => !finding.ok)
          const lines = [
            ...doorLines(loaded.config, materials),
            ...findings.map(
              ({ what, ok, detail, milliseconds }) =>
                `${ok ? 'ok    ' : 'FAILED'} ${what} (${milliseconds} ms): ${detail}`,
            ),
            `${file} is fine${problems.length > 0 ? `, with ${problems.length === 1 ? 'a warning' : `${problems.length} warnings`}` : ''}`,
          ]
          const terms = (trusts: Materials['listeners']) =>
            Object.fromEntries([...trusts].map(([name, trust]) => [name, trust.terms]))
          report.result((broken.length > 0 ? lines.slice(0, -1) : lines).join('\n'), {
            ok: broken.length === 0,
            file,
            problems: shown,
            listeners: terms(materials.listeners),
            streams: terms(materials.streams),
            online: findings,
          })
          if (broken.length > 0)
            report.fail(1, `${broken.length === 1 ? 'one connection' : `${broken.length} connections`} failed`)
        }),
      ),
}
