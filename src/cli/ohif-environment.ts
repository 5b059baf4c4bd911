/**
 * `serve` in the place of the OHIF image: the viewer's files by HTTPS or HTTP, told what to do by environment variables.
 *
 *   environment -> viewer -> certificate -> listen -> files, until a signal comes
 *
 * Everybody may read; there is no login, no upstream and no state, so nothing is written and any account will do.
 * Not to forget: without SSL_PORT nothing is encrypted, even where a certificate lies ready; that is how the image
 * behaves, and it is said once.
 */
import { existsSync } from 'node:fs'
import { createAccessLog } from '../audit/access-log.ts'
import { causeLine } from '../kernel/fault.ts'
import type { ListenerEvents } from '../listener/secure-listener.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { createPublicFiles } from '../viewer/public-files.ts'
import { openViewer } from '../viewer/static-files.ts'
import { watchFiles } from './file-watch.ts'
import { readCertificate } from './ohif-certificate.ts'
import { listenAsImage, type Renew } from './ohif-listener.ts'
import { type CertificateFiles, type OhifSettings, type Problem, readOhifSettings } from './ohif-settings.ts'
import { type FoundViewer, findViewer, ownSources } from './ohif-viewer.ts'
import type { Report } from './report.ts'
import { untilStopped } from './until-stopped.ts'

/** As the `drain` of a configuration that says nothing. */
const drainTime = 30_000
/** SIGQUIT is how containers made from nginx are asked to stop. */
const stops = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const

/** @param env  the variables of the OHIF image; `chooses(env)` has said that they are meant */
export async function serveEnvironment(env: NodeJS.ProcessEnv, report: Report): Promise<void> {
  const { settings, problems, notes } = readOhifSettings(env)
  const refused = (found: readonly Problem[]) => {
    for (const { text, cure } of found) report.fail(2, text, cure)
  }
  if (settings === undefined) return refused(problems)
  const viewer = await findViewer(settings.publicUrl)
  const certificate = settings.secure ? readCertificate(settings.files, Date.now()) : undefined
  for (const warning of certificate?.warnings ?? []) report.warn(warning)
  const all = [...('text' in viewer ? [viewer] : []), ...(certificate?.problems ?? [])]
  if ('text' in viewer || all.length > 0) return refused(all)
  for (const note of notes) report.note(note)
  await warnOfSettings(settings, viewer, report)

  const { log, flush } = createLog({ level: 'info', format: 'auto' })
  await using listener = await listenAsImage(settings, certificate?.keystore, answers(settings, viewer, log))
  for (const url of listener.urls)
    report.result(`listening ${url} (${listener.name})`, { listening: url, listener: listener.name })
  report.note(`The viewer in ${viewer.root} is at ${viewer.base}, for everybody: no login, no archive behind it.`)

  using _renewal = renewCertificate(settings.files, listener.renew, log)
  const why = await untilStopped(log, stops)
  await listener.drain(drainTime)
  log.info({}, 'stopped')
  flush()
  if (why === 'bug') report.fail(1, 'it stopped because of a bug; the log holds the details')
}

async function warnOfSettings({ secure, files, appConfig }: OhifSettings, viewer: FoundViewer, report: Report) {
  if (!secure) {
    const there = [files.certificate, files.key].filter(file => existsSync(file))
    const unused = there.length === 0 ? '' : `; ${there.join(' and ')} would be used with SSL_PORT=443`
    report.warn(`PORT without SSL_PORT: plain HTTP, nothing is encrypted${unused}`)
  }
  const sources = appConfig === undefined ? await ownSources(viewer.root) : []
  if (sources.length > 0)
    report.warn(
      `APP_CONFIG is not set: the app-config.js in ${viewer.root} is used, and it asks ${sources.join(', ')} for studies`,
    )
}

function answers({ appConfig, policy }: OhifSettings, { root, base }: FoundViewer, log: Log): ListenerEvents {
  const files = openViewer(
    { kind: 'ohif', root, dicomWeb: '/dicom-web' },
    {
      appConfig: appConfig ?? { from: 'folder' },
      fence: {
        // The archive may be anywhere, and so may the page that shows the viewer in a frame: the image allows both.
        reach: ['https:', 'http:', 'wss:', 'ws:'],
        embeddable: true,
        // Other containers of this host may speak plain HTTP, and this would keep browsers from them for years.
        strictTransport: false,
        policy,
      },
    },
  )
  const access = createAccessLog(log, createMetrics(), Date.now)
  const answer = createPublicFiles({
    viewer: files,
    base,
    note(exchange, path) {
      access.factsOf(exchange).path = path
    },
    broke: (exchange, thrown) => log.error({ id: exchange.id, cause: causeLine(thrown) }, 'fault'),
  })
  const take: ListenerEvents['exchange'] = exchange => {
    access.open(exchange)
    void answer(exchange)
  }
  return {
    exchange: take,
    upgrade: take,
    trouble: (listener, kind, address, detail) => log.debug({ listener, kind, address, detail }, 'client trouble'),
    connections: () => undefined,
  }
}

/**
 * Takes a new pair when the files change and on SIGHUP; one that is broken never takes the place of one that works.
 *
 * @param renew  undefined: plain HTTP, and there is nothing to read anew
 */
function renewCertificate(files: CertificateFiles, renew: Renew | undefined, log: Log): Disposable {
  const read = (why: string) => {
    if (renew === undefined) return log.info({}, `${why}: there is no certificate here, and nothing else to read anew`)
    const { keystore, problems, warnings } = readCertificate(files, Date.now())
    for (const warning of warnings) log.warn({}, warning)
    for (const { text } of problems) log.error({}, `${why}: ${text}; the certificate that was there stays`)
    if (keystore === undefined) return
    renew(keystore)
    const { validTo, fingerprint256 } = keystore.certificate
    log.info(
      { certificate: files.certificate, validTo, sha256: fingerprint256 },
      `${why}: the certificate was read anew`,
    )
  }
  const onSignal = () => read('SIGHUP')
  process.on('SIGHUP', onSignal)
  const watch = watchFiles(() => read('the files have changed'))
  if (renew !== undefined) watch.follow([files.certificate, files.key])
  return {
    [Symbol.dispose]() {
      process.off('SIGHUP', onSignal)
      watch[Symbol.dispose]()
    },
  }
}
