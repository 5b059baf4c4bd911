/**
 * `sallyport serve`: reads everything first, and runs the gateway only when nothing is wrong.
 */
import { resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { inspect, inspectLoaded } from '../preflight.ts'
import type { Command } from './command.ts'
import { configFile, configOption, invalid, tellProblems } from './configuration.ts'
import { prepareQuickStart } from './quick-start.ts'
import { CommandEnd, type Report } from './report.ts'
import { runGateway } from './run-gateway.ts'
import { refuseForeign } from './state-owner.ts'

async function serveFile(file: string, report: Report): Promise<void> {
  const loaded = loadConfig(file)
  const { materials, problems } = inspectLoaded(loaded, process.env, Date.now())
  tellProblems(report, file, problems)
  if (!loaded.ok || materials === undefined) throw invalid(file, problems)
  refuseForeign(loaded.config.state)
  await runGateway(loaded.config, materials, report)
}

async function serveQuickStart(report: Report): Promise<void> {
  const viewer = resolve('state/ohif')
  refuseForeign(resolve('state'))
  const { config, password, viewerInstalled } = await prepareQuickStart({
    certs: resolve('certs'),
    state: resolve('state'),
    viewer,
    orthanc: 'http://127.0.0.1:8042',
    bind: '127.0.0.1:8443',
    account: 'admin',
  })
  const { materials, problems } = inspect(config, problem => problem, process.env, Date.now())
  tellProblems(report, 'quick start', problems)
  if (materials === undefined) throw invalid('the quick start', problems)
  await runGateway(config, materials, report, () => {
    report.note('No configuration was found: this is the quick start, in front of an Orthanc on http://127.0.0.1:8042.')
    report.note(
      'Open     https://localhost:8443 (your browser will ask about the private CA in certs/authority/ca.pem)',
    )
    if (password !== undefined)
      report.note(`Sign in  admin / ${password}   (shown this once; change it with: sallyport users passwd admin)`)
    if (!viewerInstalled) report.note('Viewer   not installed; get it with: sallyport viewer install')
  })
}

export const serve: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport serve [--config FILE]\n\nRuns the gateway. Without a configuration: the quick start on https://localhost:8443.',
      )
      .options(configOption)
      .command(
        '$0',
        false,
        () => undefined,
        run<{ config?: string | undefined }>(async ({ config }, report) => {
          const file = configFile(config)
          if (file !== undefined) return await serveFile(file, report)
          const variable = ['SSL_PORT', 'PORT'].find(name => (process.env[name] ?? '') !== '')
          if (variable !== undefined) {
            throw new CommandEnd(
              2,
              `${variable} is set and there is no configuration: the environment mode of the OHIF image is not built yet`,
              `unset ${variable}, or name a configuration with --config FILE`,
            )
          }
          await serveQuickStart(report)
        }),
      ),
}
