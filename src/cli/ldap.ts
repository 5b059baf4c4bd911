/**
 * `sallyport ldap`: why does a sign-in fail? Its command line; ldap-examine.ts does the work.
 */
import type { Argv } from 'yargs'
import type { Command } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'
import type { Depth, ExamineArguments } from './ldap-examine.ts'
import { passwordFileOption } from './password-input.ts'

const lines: Readonly<Record<Depth, readonly [what: string, usage: string, sentence: string]>> = {
  test: [
    'try a whole sign-in, with the password',
    'sallyport ldap test USER [--password-file F]',
    'Tries a sign-in step by step, at each server of the directory: connection, TLS, reader account, search; then, at the first server that has the entry, the password and the groups. The password is asked for on a terminal, read from a file or from standard input, sent once, and never shown.',
  ],
  find: [
    'find the entry of a person',
    'sallyport ldap find USER',
    'Finds the entry of a person at each server of the directory, shows what it says, and tells what the gateway would make of it. Needs no password.',
  ],
  groups: [
    'list the groups of a person',
    'sallyport ldap groups USER',
    'Lists the groups that the directory gives a person, with the queries that were asked, what was skipped and why. Needs no password.',
  ],
}

const named = (y: Argv, depth: Depth) =>
  y
    .usage(
      `${lines[depth][1]}\n\n${lines[depth][2]}\n\nEach step shows how long it took; where one failed, the cause and the cure. Nothing is changed, neither there nor here. Exit code 0 when all is well, 1 when a step failed or the person would be refused, 2 for the configuration or the command line.`,
    )
    .positional('user', { type: 'string', demandOption: true, describe: 'the name, as it is typed at the login page' })
    .options({ ...configOption, ...(depth === 'test' ? passwordFileOption : {}) })
    .example(`sallyport ldap ${depth} alice`, '')

export const ldap: Command = {
  build(y, run) {
    y.usage(
      'sallyport ldap <command>\n\nWhy does a sign-in with the directory fail? Tries it step by step, with causes and cures.',
    )
      .example('sallyport ldap test alice', 'asks for her password')
      .example('sallyport ldap groups alice --json', '')
    for (const depth of ['test', 'find', 'groups'] as const)
      y.command<ExamineArguments>(
        `${depth} <user>`,
        lines[depth][0],
        yy => void named(yy, depth),
        run(foreseen(async (argv, report) => (await import('./ldap-examine.ts')).examine(depth)(argv, report))),
      )
    return y.demandCommand(1, 'say which: sallyport ldap test, find or groups')
  },
}
