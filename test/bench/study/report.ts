/**
 * What the study took, as Markdown: medians with their range, and ratios within one repetition.
 */
import { median } from '../matrix.ts'

export interface StudyResult {
  readonly client: 'DICOMweb' | 'DICOMweb, as a browser' | 'OHIF' | 'DICOMweb over a slow line'
  readonly way: string
  /** Until the last frame. */
  readonly seconds: number
  /** OHIF only. */
  readonly firstPixels?: number
  /** The others: the longest time in which no frame came, in seconds. */
  readonly stall?: number
  readonly megabytes: number
  readonly codings: readonly string[]
  /** Seconds of CPU. */
  readonly gatewayCpu: number
  readonly orthancCpu: number
  /** Processors that others kept busy; the client is among them in the case of OHIF. */
  readonly strangers: number
}

export interface StudyResults {
  readonly machine: Readonly<Record<string, string>>
  readonly slices: number
  readonly size: number
  readonly repetitions: number
  readonly line: { readonly megabitsPerSecond: number; readonly roundTrip: number }
  readonly skipped: Readonly<Record<string, string>>
  readonly results: readonly StudyResult[]
}

const middle = (values: readonly number[], digits = 2): string => {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(value => value.toFixed(digits))
  const value = (median(values) ?? 0).toFixed(digits)
  return low === high ? value : `${value} (${low}–${high})`
}

function table(results: readonly StudyResult[]): string[] {
  const ways = Map.groupBy(results, ({ way }) => way)
  const nginx = ways.get('nginx') ?? []
  const hasPixels = results.some(({ firstPixels }) => firstPixels !== undefined)
  return [
    `| way | ${hasPixels ? 'first image s | ' : 'longest stall s | '}last frame s | against nginx | MB | coding | gateway CPU s | Orthanc CPU s |`,
    '| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |',
    ...[...ways].map(([way, runs]) => {
      const ratio = median(runs.flatMap(({ seconds }, turn) => (nginx[turn] ? [nginx[turn].seconds / seconds] : [])))
      const pixels = `${middle(runs.flatMap(({ firstPixels, stall }) => (hasPixels ? firstPixels : stall) ?? []))} | `
      const coding = [...new Set(runs.flatMap(({ codings }) => codings))].filter(one => one !== '').join(', ')
      const of = (read: (run: StudyResult) => number, digits = 2) => middle(runs.map(read), digits)
      return `| ${way} | ${pixels}${of(run => run.seconds)} | ${ratio === undefined ? '–' : `×${ratio.toFixed(2)}`} | ${of(run => run.megabytes, 1)} | ${coding} | ${of(run => run.gatewayCpu)} | ${of(run => run.orthancCpu)} |`
    }),
  ]
}

const clientTexts: Readonly<Record<StudyResult['client'], string>> = {
  DICOMweb: 'A DICOMweb client, 100 requests at once, no Accept-Encoding',
  'DICOMweb, as a browser': 'The same with the Accept-Encoding of a browser',
  OHIF: 'OHIF in Chromium, with an empty cache',
  'DICOMweb over a slow line': 'The DICOMweb client as a browser',
}

export function studyMarkdown({ machine, slices, size, repetitions, line, skipped, results }: StudyResults): string {
  const clients = Map.groupBy(results, ({ client }) => client)
  return [
    `# A CT study of ${slices} slices of ${size} x ${size}`,
    '',
    `Orthanc, gateway and client share one machine. Medians of ${repetitions}, with the smallest and the largest; "against nginx" is`,
    'how many times as fast as nginx in the same repetition. HTTP/2 over one connection, but for Orthanc itself: HTTP/1.1 over 40.',
    'sallyport asks everyone to be signed in, nginx nobody. All frames were compared with what had been stored.',
    '',
    ...Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`),
    '',
    ...[...clients].flatMap(([client, runs]) => [
      `## ${clientTexts[client]}${client === 'DICOMweb over a slow line' ? `, over ${line.megabitsPerSecond} Mbit/s and ${line.roundTrip} ms there and back` : ''}`,
      '',
      ...table(runs),
      '',
    ]),
    ...Object.entries(skipped).map(([what, why]) => `- ${what}: not measured, ${why}`),
    '',
  ].join('\n')
}
