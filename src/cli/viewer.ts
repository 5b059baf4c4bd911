/**
 * `sallyport viewer install`: puts the OHIF viewer where the gateway looks for it.
 *
 * An install that is interrupted leaves the viewer that was there; src/viewer/install.ts answers for that.
 */
import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import { defaultViewerVersion, type InstallProgress, type InstallResult, installViewer } from '../viewer/install.ts'
import type { Command } from './command.ts'
import { configFile, configOption, requireConfiguration } from './configuration.ts'
import { foreseen } from './foreseen.ts'
import { CommandEnd, type Progress, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'
import { refuseForeign, refuseForeignOwner } from './state-owner.ts'

interface Arguments {
  config?: string | undefined
  dir?: string | undefined
  version?: string | undefined
  archive?: string | undefined
}

const usualFolder = 'state/ohif'

/** The folders of the viewers that the configuration names. */
const roots = (config: Config): string[] => [
  ...new Set(Object.values(config.upstreams).flatMap(upstream => (upstream.kind === 'ohif' ? [upstream.root] : []))),
]

function folderFor(named: string | undefined, config: Config | undefined): string {
  if (named !== undefined) return resolve(named)
  if (config === undefined) return resolve(usualFolder)
  const [first, ...others] = roots(config)
  if (others.length > 0) {
    throw new CommandEnd(
      2,
      `the configuration names several folders for viewers: ${roots(config).map(shownPath).join(', ')}`,
      'say which with --dir DIR',
    )
  }
  return first ?? resolve(config.state, 'ohif')
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`

function show(progress: Progress, at: InstallProgress): void {
  if (at.step === 'fetch') progress.step(undefined, `fetching version ${at.version}, ${at.seconds} s`)
  else if (at.step === 'check') progress.step(undefined, 'checking')
  else progress.step(undefined, `unpacking, ${at.files} files, ${megabytes(at.bytes)}`)
}

const judged: Readonly<Record<InstallResult['checkedAgainst'], string>> = {
  pin: 'the very files that this release of sallyport was tested with (SHA-512)',
  registry:
    'checked against the SHA-512 that the npm registry states; this release of sallyport knows none of its own for it',
  nothing: 'taken from the file as it is: there is no SHA-512 to check this version against',
}

async function install(argv: Arguments, report: Report): Promise<void> {
  const file = configFile(argv.config)
  const config = file === undefined ? undefined : requireConfiguration(file, report).config
  const root = folderFor(argv.dir, config)
  const state = config?.state ?? resolve('state')
  const inState = !relative(state, root).startsWith('..')
  if (inState) refuseForeignOwner(state)
  else refuseForeign(root)

  if (argv.archive !== undefined && !existsSync(argv.archive)) {
    throw new CommandEnd(
      2,
      `there is no file ${argv.archive}`,
      `npm pack @ohif/app@${argv.version ?? defaultViewerVersion} makes one`,
    )
  }

  const progress = report.progress('OHIF viewer:')
  const stop = new AbortController()
  const interrupt = () => stop.abort(new CommandEnd(1, 'interrupted; nothing was changed'))
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  let result: InstallResult
  try {
    result = await installViewer({
      root,
      signal: stop.signal,
      onProgress: at => show(progress, at),
      ...(argv.version === undefined ? {} : { version: argv.version }),
      ...(argv.archive === undefined ? {} : { archive: argv.archive }),
    })
  } catch (cause) {
    throw stop.signal.aborted ? stop.signal.reason : cause
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    progress.done()
  }

  const { version, files, bytes, outcome, checkedAgainst } = result
  report.result(
    [
      `OHIF viewer ${version} ${outcome === 'present' ? 'is there already' : 'installed'}: ${shownPath(root)} (${files} files, ${megabytes(bytes)})`,
      ...(outcome === 'present' ? [] : [`  ${judged[checkedAgainst]}`]),
    ].join('\n'),
    { ...result, root },
  )
  report.note(howToUse(root, config))
}

function howToUse(root: string, config: Config | undefined): string {
  if (config === undefined) {
    if (root === resolve(usualFolder)) return 'use it: sallyport serve shows it on https://localhost:8443/'
    return `use it: upstreams: { viewer: { kind: ohif, root: ${root} } } and routes: [{ path: /, upstream: viewer, access: authenticated }]`
  }
  const names = Object.entries(config.upstreams).filter(
    ([, upstream]) => upstream.kind === 'ohif' && upstream.root === root,
  )
  const name = names[0]?.[0]
  if (name === undefined)
    return `use it: put upstreams: { viewer: { kind: ohif, root: ${root} } } and a route for it into the configuration`
  return config.routes.some(route => route.upstream === name)
    ? `use it: the upstream "${name}" of the configuration has it; a gateway that runs shows it at once`
    : `use it: the upstream "${name}" has it, but no route leads there; add { path: /, upstream: ${name}, access: authenticated }`
}

export const viewer: Command = {
  build: (y, run) =>
    y
      .usage('sallyport viewer install [--version V] [--dir D]\n\nThe OHIF viewer, which shows studies in the browser.')
      .example('sallyport viewer install', '')
      .command<Arguments>(
        'install',
        'install the OHIF viewer from the npm registry, or from a file',
        yy =>
          void yy
            .usage(
              'sallyport viewer install [--version V] [--dir D] [--archive FILE]\n\nInstalls the built OHIF viewer: fetched with npm, checked, unpacked, put in place in one step. A viewer that is there is replaced only when all went well.',
            )
            .example('sallyport viewer install', `into ${usualFolder}, or where the configuration says`)
            .example('sallyport viewer install --archive ohif-app-3.13.2.tgz', 'on a machine without network')
            .options({
              ...configOption,
              version: { type: 'string', requiresArg: true, describe: `the version (${defaultViewerVersion})` },
              dir: {
                type: 'string',
                requiresArg: true,
                describe: `the folder (configuration: root of the upstream of kind ohif; else ${usualFolder})`,
              },
              archive: {
                type: 'string',
                requiresArg: true,
                describe: 'the package as a file, made with: npm pack @ohif/app@VERSION',
              },
            }),
        run(foreseen(install)),
      )
      .demandCommand(1, 'say what: sallyport viewer install'),
}
