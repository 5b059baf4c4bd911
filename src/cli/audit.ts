/**
 * `sallyport audit`: the audit trail, readable. This file is the command line.
 */
import type { Argv } from 'yargs'
import type { SearchArguments, TailArguments } from './audit-show.ts'
import { eventWords } from './audit-text.ts'
import type { Command } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'

const kinds = Object.entries(eventWords)
  .map(([kind, what]) => `  ${kind.padEnd(19)} ${what}`)
  .join('\n')

const fileOption = {
  file: {
    type: 'string',
    requiresArg: true,
    describe: 'another file, for instance one that was rotated away; - for standard input',
  },
} as const

const text = (describe: string) => ({ type: 'string', requiresArg: true, describe }) as const

export const audit: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport audit <command>\n\nThe audit trail: who signed in, who was turned away, who opened which study, changed or deleted something. Times are those of this machine, with their distance from UTC.',
      )
      .example('sallyport audit tail --follow', 'what happens now')
      .example('sallyport audit search --user alice --since "7 d"', 'what she did this week')
      .command<TailArguments>(
        'tail',
        'show the last events',
        (yy: Argv) =>
          void yy
            .usage(
              'sallyport audit tail [-n N] [--follow]\n\nShows the last events, the newest at the end; with --follow also each new one, over rotations of the file.',
            )
            .options({
              ...configOption,
              ...fileOption,
              lines: { alias: 'n', type: 'number', requiresArg: true, default: 10, describe: 'how many' },
              follow: { alias: 'f', type: 'boolean', default: false, describe: 'go on until Ctrl-C' },
            })
            .example('sallyport audit tail -n 50', ''),
        run(foreseen(async (argv, report) => (await import('./audit-show.ts')).tailTrail(argv, report))),
      )
      .command<SearchArguments>(
        'search',
        'find events',
        (yy: Argv) =>
          void yy
            .usage(
              `sallyport audit search [what …]\n\nShows the events that fit all that is asked for, the oldest first. Kinds:\n\n${kinds}`,
            )
            .options({
              ...configOption,
              ...fileOption,
              user: text('of this person, or of whoever claimed the name; upper and lower case are one'),
              since: text(
                'not before: 2026-11-28, "2026-11-28 14:30" (here), 2026-11-28T14:30Z, or how long ago: 8 h, 7 d',
              ),
              until: text('before, written likewise'),
              kind: text('of this kind; may be given several times'),
              route: text('by this route or stream, as it stands in the events: routes[0]'),
              address: text('from this address, or range of addresses: 10.1.0.0/16'),
              study: text('of this study, or what else stands in its place'),
              id: text('of this request: the X-Request-Id on every answer and error page'),
            })
            .example('sallyport audit search --kind denial --since "1 h"', 'who was turned away')
            .example('zcat audit.jsonl.2.gz | sallyport audit search --file - --user alice', 'older ones'),
        run(
          foreseen(async (argv, report) => (await import('./audit-show.ts')).searchTrail(argv, report)),
          ['kind'],
        ),
      )
      .demandCommand(1, 'say which: sallyport audit tail or search'),
}
