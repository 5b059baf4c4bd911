/**
 * Asks the npm registry through the npm command, as the operator's own settings say (mirror, proxy, credentials).
 *
 * No script of a package ever runs: the package is fetched, not installed.
 * Not to forget: a version goes onto a command line, so it is checked to be one first.
 *
 * Source: npm-pack(1), npm-view(1).
 */
import { spawn } from 'node:child_process'
import { basename, join } from 'node:path'
import { ViewerRefusal } from './install-refusal.ts'

const packageName = '@ohif/app'

export interface Npm {
  /** The package as the registry has it, put into `folder`; the path of the file. */
  fetch(version: string, folder: string, signal: AbortSignal | undefined): Promise<string>
  /** What the registry states: `sha512-...` */
  integrity(version: string, signal: AbortSignal | undefined): Promise<string>
}

export const isVersion = (text: string): boolean => /^\d{1,5}\.\d{1,5}\.\d{1,5}(-[0-9A-Za-z.-]{1,40})?$/.test(text)

/** @param command  the npm to run: a name on the path, or a path */
export function npmClient(command: string): Npm {
  return {
    async fetch(version, folder, signal) {
      const place = ['--pack-destination', folder, '--json', '--ignore-scripts']
      const output = await run(command, ['pack', `${packageName}@${version}`, ...place], version, signal)
      const name = fileNameIn(output)
      if (name === undefined) throw new ViewerRefusal('npm-failed', 'npm pack did not say which file it wrote')
      return join(folder, basename(name))
    },
    async integrity(version, signal) {
      const output = await run(command, ['view', `${packageName}@${version}`, 'dist.integrity'], version, signal)
      const stated = output.trim().replace(/^["']|["']$/g, '')
      if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(stated)) {
        throw new ViewerRefusal('npm-failed', `the registry states no SHA-512 for ${packageName} ${version}`)
      }
      return stated
    },
  }
}

/** npm prints a list of one, or, from version 12, one entry under its name. */
function fileNameIn(output: string): string | undefined {
  const printed: unknown = JSON.parse(output)
  if (typeof printed !== 'object' || printed === null) return undefined
  const entry: unknown = Object.values(printed)[0]
  const named = typeof entry === 'object' && entry !== null && 'filename' in entry ? entry.filename : undefined
  return typeof named === 'string' ? named : undefined
}

function run(
  command: string,
  args: readonly string[],
  version: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const npm = spawn(command, [...args, '--loglevel=error', '--no-update-notifier'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal }),
  })
  let output = ''
  let errors = ''
  npm.stdout.setEncoding('utf8').on('data', text => (output += text))
  npm.stderr.setEncoding('utf8').on('data', text => (errors = (errors + text).slice(-8_000)))
  npm.once('error', cause => reject(isMissing(cause) ? npmMissing(command, cause) : cause))
  npm.once('close', code => (code === 0 ? resolve(output) : reject(failure(`${errors}\n${output}`, version))))
  return promise
}

const isMissing = (cause: Error) => 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'EACCES')

const elsewhere = (version: string) =>
  `On a machine with network: npm pack ${packageName}@${version}, bring the .tgz file here, and install from that file.`

const npmMissing = (command: string, cause: Error) =>
  new ViewerRefusal(
    'npm-missing',
    `The command ${command} is not there. Install npm (it comes with Node.js), then try again.`,
    {
      cause,
    },
  )

function failure(said: string, version: string): ViewerRefusal {
  if (/\bE404\b|\bETARGET\b|No matching version/.test(said)) {
    return new ViewerRefusal('version-unknown', `The registry has no ${packageName} of version ${version}.`)
  }
  const offline =
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/.exec(
      said,
    )
  if (offline !== null) {
    const advice = `Check network and proxy (npm ping). ${elsewhere(version)}`
    return new ViewerRefusal('npm-offline', `npm cannot reach its registry (${offline[0]}). ${advice}`)
  }
  const lines = said.split('\n').filter(line => /npm (error|ERR!)/.test(line) && !/complete log/.test(line))
  return new ViewerRefusal(
    'npm-failed',
    `npm failed: ${lines.slice(0, 4).join(' ').trim() || said.trim().slice(0, 300)}`,
  )
}
