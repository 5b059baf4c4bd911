/**
 * `npm run bench`: sallyport beside nginx, HAProxy, Apache, Caddy and http-proxy on the same work. See README.md.
 */
import { installDebianPackages } from '../../src/demo/debian-packages.ts'
import { compare } from './compare.ts'
import { help, type Options, readOptions, UsageError } from './options.ts'
import { profile } from './profile.ts'
import { study, studyPackages } from './study/study.ts'
import { telemetry } from './telemetry.ts'

const loadTools = ['wrk', 'nghttp2-client', 'curl', 'util-linux', 'nginx-light', 'slapd', 'ldap-utils']

async function run(options: Options): Promise<boolean> {
  const say = (line: string) => console.error(line)
  if (options.install) {
    const peers = options.targets.flatMap(({ packages }) => Object.keys(packages))
    const missing = installDebianPackages(options.command === 'study' ? studyPackages : [...loadTools, ...peers], say)
    if (missing.length > 0) say(`not installed: ${missing.join(' ')}`)
  }
  await using parts = new AsyncDisposableStack()
  const t = {
    teardown: (undo: () => unknown) => parts.defer(async () => void (await undo())),
    comment: (text: unknown) => say(String(text)),
  }
  if (options.command === 'study') {
    const { quick, repetitions, out } = options
    await study(t, { repetitions, out, slices: quick ? 40 : 200, size: 512, browser: true }, say)
    say(`results: ${out}`)
    return true
  }
  if (options.command === 'profile' || options.command === 'telemetry') {
    console.log(await (options.command === 'profile' ? profile : telemetry)(t, options))
    return true
  }
  const cells = await compare(t, options, say)
  const failures = cells.filter(({ failure }) => failure !== undefined)
  if (failures.length > 0) say(`${failures.length} cells FAILED`)
  say(`results: ${options.out}`)
  return failures.length === 0 && cells.some(({ rounds }) => rounds.length > 0)
}

try {
  const options = readOptions(process.argv.slice(2))
  if (options.command === 'help') console.log(help)
  else process.exitCode = (await run(options)) ? 0 : 1
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`error: ${error.message}\nhint: npm run bench -- --help`)
  process.exitCode = 2
}
