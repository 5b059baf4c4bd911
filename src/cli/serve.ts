/**
 * `sallyport serve`: reads everything first, and runs the gateway only when nothing is wrong.
 *
 * What runs for weeks keeps what it has loaded: what makes certificates and configurations is loaded where it is asked for.
 */
import { resolve } from 'node:path'
import { inspect } from '../preflight.ts'
import type { Command } from './command.ts'
import { configFile, configOption, invalid, tellProblems } from './configuration.ts'
import { chooses } from './ohif-settings.ts'
import type { Report } from './report.ts'
import { runGateway } from './run-gateway.ts'
import { readServed } from './served-file.ts'
import { refuseForeign } from './state-owner.ts'

async function serveFile(file: string, report: Report): Promise<void> {
  const { config, materials, problems, files = [], print } = readServed(file)
  tellProblems(report, file, problems)
  if (config === undefined || materials === undefined) throw invalid(file, problems)
  refuseForeign(config.state)
  await runGateway({ config, materials, files, print, file, again: () => readServed(file) }, report)
}

async function serveQuickStart(report: Report): Promise<void> {
  const { prepareQuickStart } = await import('./quick-start.ts')
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
  const again = () => ({ config, files: undefined, ...inspect(config, problem => problem, process.env, Date.now()) })
  const { materials, problems } = again()
  tellProblems(report, 'quick start', problems)
  if (materials === undefined) throw invalid('the quick start', problems)
  await runGateway({ config, materials, files: [], again }, report, () => {
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
        "sallyport serve [--config FILE]\n\nRuns the gateway. Without a configuration: the quick start on https://localhost:8443. With SSL_PORT or PORT and no configuration: the viewer's files, as the OHIF image serves them.",
      )
      .options(configOption)
      .command(
        '$0',
        false,
        () => undefined,
        run<{ config?: string | undefined }>(async ({ config }, report) => {
          const file = configFile(config)
          if (file !== undefined) {
            if (chooses(process.env)) report.note(`SSL_PORT and PORT stand back: ${file} decides`)
            return await serveFile(file, report)
          }
          if (chooses(process.env))
            return await (await import('./ohif-environment.ts')).serveEnvironment(process.env, report)
          await serveQuickStart(report)
        }),
      ),
}
