/**
 * `sallyport audit tail` and `search`: finds the file, reads it, and prints what fits.
 */
import { constants, existsSync, globSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { createFilter, type FilterArguments } from './audit-filter.ts'
import { followLines, linesOf, startOfLast } from './audit-lines.ts'
import { brokenLine, eventLine, readLine } from './audit-text.ts'
import { configFile, requireConfiguration } from './configuration.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'
import { ownerName } from './state-owner.ts'

interface TrailArguments {
  config?: string | undefined
  file?: string | undefined
}

export interface TailArguments extends TrailArguments {
  lines: number
  follow: boolean
}

export interface SearchArguments extends TrailArguments, FilterArguments {}

function trailFile({ config: named, file }: TrailArguments, report: Report): string {
  if (file !== undefined) return resolve(file)
  const path = configFile(named)
  return path === undefined ? resolve('state/audit.jsonl') : requireConfiguration(path, report).config.audit.file
}

/** @throws CommandEnd 1 */
async function openTrail(file: string): Promise<FileHandle> {
  try {
    // Else a pipe that nobody writes to would be waited for.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    if ((await handle.stat()).isFile()) return handle
    await handle.close()
    throw new CommandEnd(1, `${shownPath(file)} is no file`, 'name it: --file FILE')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT')
      throw new CommandEnd(
        1,
        `there is no audit trail: no ${shownPath(file)}`,
        'the gateway makes it when it starts; which one it writes stands in its configuration: --config FILE',
      )
    if (code !== 'EACCES') throw cause
    const owner = ownerName(file)
    throw new CommandEnd(
      1,
      `${shownPath(file)} may not be read by this account`,
      owner === undefined
        ? 'run this as the account of the gateway'
        : `run it as its owner: sudo -u ${owner} sallyport audit …`,
    )
  }
}

/** Resolves when it is written, so that a slow reader fills no memory; false when nobody reads any more (`| head`). */
const print = (line: string): Promise<boolean> =>
  new Promise(done => process.stdout.write(`${line}\n`, error => done(error === undefined || error === null)))

/** False: nobody reads any more. With `--json` a line goes out as it stands in the file. */
async function show(line: string, { json }: Report): Promise<boolean> {
  const event = readLine(line)
  if (json) return event === undefined || (await print(line))
  return await print(event === undefined ? brokenLine(line) : eventLine(event))
}

export async function tailTrail(argv: TailArguments, report: Report): Promise<void> {
  const { lines: count, follow } = argv
  if (!Number.isInteger(count) || count < 0 || count > 1_000_000)
    throw new CommandEnd(2, '--lines: write how many, 0 to 1000000')
  if (argv.file === '-')
    throw new CommandEnd(2, 'standard input has no end to begin at', 'sallyport audit search --file -')
  process.stdout.on('error', () => undefined) // told by the write
  const file = trailFile(argv, report)
  const handle = await openTrail(file)
  const start = await startOfLast(handle, count, !follow)
  let shown = 0
  for await (const line of follow ? followLines(file, handle, start) : linesOf(handle, start)) {
    if (shown++ === count && !follow) break // written meanwhile
    if (!(await show(line, report))) break
  }
  await handle.close()
  if (shown === 0 && count > 0) report.note(`${shownPath(file)} has no event yet`)
}

export async function searchTrail(argv: SearchArguments, report: Report): Promise<void> {
  const fits = createFilter(argv, Date.now())
  process.stdout.on('error', () => undefined) // told by the write
  const file = argv.file === '-' ? undefined : trailFile(argv, report)
  const handle = file === undefined ? undefined : await openTrail(file)
  let [found, broken] = [0, 0]
  for await (const line of linesOf(handle ?? process.stdin)) {
    const event = readLine(line)
    if (event === undefined) broken++
    else if (fits(event)) {
      found++
      if (!(await print(report.json ? line : eventLine(event)))) return
    }
  }
  if (found === 0) report.note('nothing fits')
  if (broken > 0)
    report.note(`${broken === 1 ? 'a line is' : `${broken} lines are`} not whole: a crash or a full disk cut them`)
  const older = file === undefined || argv.file !== undefined ? [] : rotatedFrom(file)
  if (older.length > 0)
    report.note(
      `older events are in ${older.map(shownPath).join(', ')}: --file FILE, or for what is packed zcat FILE | … --file -`,
    )
}

/** What the usual programs make of it: audit.jsonl.1, audit.jsonl.2.gz, audit.jsonl-20261128. */
const rotatedFrom = (file: string): string[] =>
  existsSync(dirname(file))
    ? globSync(`${basename(file)}[.-]*`, { cwd: dirname(file) })
        .map(name => resolve(dirname(file), name))
        .toSorted()
    : []
