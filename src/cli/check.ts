/**
 * `sallyport check`: reads the configuration and all files that it names, binds nothing, prints every problem at once.
 */
import { loadConfig } from '../config/load.ts'
import { pathText } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { inspectLoaded, type Materials } from '../preflight.ts'
import { checkOnline } from './check-online.ts'
import type { Command } from './command.ts'
import { configFile, configOption, tellProblems, usualFile } from './configuration.ts'
import { CommandEnd } from './report.ts'

interface Arguments {
  config?: string | undefined
  online?: boolean | undefined
}

function listenerLines(config: Config, materials: Materials | undefined): string[] {
  return Object.entries(config.listeners).flatMap(([name, listener]) => {
    const binds = listener.bind.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(', ')
    if (listener.kind === 'plain') return [`listener ${name}: ${binds}, plain, sends people to ${listener.redirect}`]
    const terms = materials?.listeners.get(name)?.terms
    return [
      `listener ${name}: ${binds}, client certificates ${listener.clients.certificate}`,
      ...(terms === undefined
        ? []
        : [
            `  protocols ${terms.minimum} to ${terms.maximum}`,
            `  suites    ${terms.ciphers}`,
            `  groups    ${terms.groups.join(', ')}`,
          ]),
    ]
  })
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
            ...listenerLines(loaded.config, materials),
            ...findings.map(
              ({ what, ok, detail, milliseconds }) =>
                `${ok ? 'ok    ' : 'FAILED'} ${what} (${milliseconds} ms): ${detail}`,
            ),
            `${file} is fine${problems.length > 0 ? `, with ${problems.length === 1 ? 'a warning' : `${problems.length} warnings`}` : ''}`,
          ]
          const listeners = Object.fromEntries([...materials.listeners].map(([name, { terms }]) => [name, terms]))
          report.result((broken.length > 0 ? lines.slice(0, -1) : lines).join('\n'), {
            ok: broken.length === 0,
            file,
            problems: shown,
            listeners,
            online: findings,
          })
          if (broken.length > 0)
            report.fail(1, `${broken.length === 1 ? 'one connection' : `${broken.length} connections`} failed`)
        }),
      ),
}
