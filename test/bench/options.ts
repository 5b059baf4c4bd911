/**
 * The command line of the benchmark.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Speed, scenarios } from './scenarios.ts'
import { apache } from './targets/apache.ts'
import { caddy } from './targets/caddy.ts'
import { haproxy } from './targets/haproxy.ts'
import { httpProxy } from './targets/http-proxy.ts'
import { nginx, nginxOpen } from './targets/nginx.ts'
import { sallyport } from './targets/sallyport.ts'
import { type Auth, auths, type Target } from './targets/target.ts'

export const allTargets: readonly Target[] = [nginx, sallyport(), haproxy, apache, caddy, httpProxy, nginxOpen]
const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).join(' ')

export const help = `Usage: npm run bench -- [COMMAND] [OPTIONS]

Runs sallyport beside nginx, HAProxy, Apache, Caddy and http-proxy on the same work, and writes bench.md (a table),
bench.json and bench.svg (a chart). Each figure is a median; each ratio is to nginx in the same repetition, and above 1
means better than nginx: "×" for throughput, "cpu ×" for CPU spent on one unit of the work.

Commands
  (none)              the comparison
  study               a 200-slice CT study in a real Orthanc, loaded by OHIF and by a DICOMweb client
  profile SCENARIO    where sallyport spends its CPU: SCENARIO[:AUTH], e.g. h1-1k:session
  telemetry SCENARIO  what access line and metrics cost, off and on within one process

Options
  --only LIST         scenarios, or SCENARIO:AUTH; all when absent
  --auth LIST         ${auths.join(', ')}; all when absent
  --targets LIST      ${names(allTargets).replaceAll(' ', ', ')}
  --workers LIST      how many processes each gateway has; 1,2 when absent
  --repetitions N     of each cell; 3
  --seconds N         of each repetition; 2
  --quick             --repetitions 1 --seconds 1 --workers 1, whatever else the machine does; study: 40 slices
  --out FOLDER        where results go; test/bench/results when absent
  --no-install        does not install missing Debian packages (it does as root)
  --help

Scenarios
${scenarios.map(({ name, title }) => `  ${name.padEnd(20)}${title}`).join('\n')}

Exit code: 0 fine; 1 if a gateway answered anything wrong, which is then no figure; 2 if this command line is wrong.`

export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const commands = ['study', 'profile', 'telemetry'] as const
type Command = (typeof commands)[number]
const isCommand = (text: string): text is Command => (commands as readonly string[]).includes(text)

export interface Options {
  readonly command: Command | 'compare' | 'help'
  /** Behind the command. */
  readonly subject: string
  /** Scenario with its authentication. */
  chosen(scenario: string, auth: Auth): boolean
  readonly targets: readonly Target[]
  readonly workers: readonly number[]
  readonly repetitions: number
  readonly seconds: number
  readonly quick: boolean
  readonly out: string
  readonly install: boolean
}

const isAuth = (text: string): text is Auth => (auths as readonly string[]).includes(text)

function listOf(text: string | undefined, known: readonly string[], what: string): readonly string[] {
  const wanted = text?.split(',') ?? known
  for (const one of wanted)
    if (!known.includes(one)) throw new UsageError(`"${one}" is no ${what}; there are: ${known.join(', ')}`)
  return wanted
}

function count(text: string | undefined, otherwise: number, what: string): number {
  const value = text === undefined ? otherwise : Number(text)
  if (!(value > 0 && value <= 3600)) throw new UsageError(`--${what} ${text}: write a number above 0`)
  return value
}

/** Scenario -> with which authentications. */
export function readChoice(text: string): { readonly scenario: string; readonly auth: Auth | undefined } {
  const [scenario = '', auth] = text.split(':')
  listOf(
    scenario,
    scenarios.map(({ name }) => name),
    'scenario',
  )
  if (auth !== undefined && !isAuth(auth))
    throw new UsageError(`"${auth}" is no way to sign in; there are: ${auths.join(', ')}`)
  return { scenario, auth }
}

/** What a command is about: a load, by which sallyport is kept busy. Throws a UsageError. */
export function readSubject(text: string, what: string): { readonly scenario: Speed; readonly auth: Auth } {
  const { scenario: name, auth = 'off' } = readChoice(text)
  const scenario = scenarios.find(one => one.name === name)
  if (scenario?.kind !== 'speed') throw new UsageError(`"${name}" has no load to ${what}`)
  return { scenario, auth }
}

/** Throws a UsageError. */
export function readOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values, positionals } = (() => {
    try {
      return parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
          ...{ only: text, auth: text, targets: text, workers: text, repetitions: text, seconds: text, out: text },
          ...{ quick: flag, help: flag, 'no-install': flag },
        },
      })
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error))
    }
  })()
  const [command = 'compare', subject = '', ...rest] = positionals
  if (command !== 'compare' && !isCommand(command))
    throw new UsageError(`"${command}" is no command; there are: ${commands.join(', ')}`)
  if (rest.length > 0 || (subject !== '' && command !== 'profile' && command !== 'telemetry'))
    throw new UsageError(`"${rest[0] ?? subject}" is too much`)
  const choices = values.only?.split(',').map(readChoice)
  const allowed = listOf(values.auth, auths, 'way to sign in')
  const targets = listOf(
    values.targets,
    allTargets.map(({ name }) => name),
    'target',
  )
  return {
    command: values.help ? 'help' : command,
    subject,
    chosen: (scenario, auth) =>
      allowed.includes(auth) &&
      (choices?.some(one => one.scenario === scenario && (one.auth ?? auth) === auth) ?? true),
    targets: allTargets.filter(({ name }) => targets.includes(name)),
    workers: (values.workers ?? (values.quick ? '1' : '1,2')).split(',').map(one => count(one, 1, 'workers')),
    repetitions: count(values.repetitions, values.quick ? 1 : 3, 'repetitions'),
    seconds: count(values.seconds, values.quick ? 1 : 2, 'seconds'),
    quick: values.quick,
    out: values.out ?? join(import.meta.dirname, 'results'),
    install: !values['no-install'],
  }
}
