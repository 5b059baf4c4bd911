/**
 * `sallyport accounts`: people of the directory, and what the gateway remembers of them. This file is the command line.
 */
import type { Argv } from 'yargs'
import type { LinkArguments } from './accounts-link.ts'
import type { OneAccount } from './accounts-list.ts'
import type { Command } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'
import type { PeopleArguments } from './people.ts'

const about = (y: Argv, usage: string, what: string, ...examples: readonly (readonly [string, string])[]) => {
  const described = y.usage(`${usage}\n\n${what}`).options(configOption)
  for (const [line, why] of examples) described.example(line, why)
  return described
}

const named = (y: Argv, ...rest: Parameters<typeof about> extends [unknown, ...infer Rest] ? Rest : never) =>
  about(y, ...rest).positional('name', { type: 'string', demandOption: true, describe: 'the name of the account' })

export const accounts: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport accounts <command>\n\nPeople of the directory: the gateway makes an account for each at the first sign-in, and remembers which entry it belongs to. To keep somebody out: sallyport users lock NAME.',
      )
      .example('sallyport accounts list', 'who has come in by the directory')
      .example('sallyport accounts link alice', 'a local account becomes one of the directory')
      .command<PeopleArguments>(
        'list',
        'list the people of the directory',
        yy =>
          void about(
            yy,
            'sallyport accounts list',
            'Lists the people of the directory: state, last sign-in, groups and entry. Groups marked local were given here, and no synchronization takes them away.',
            ['sallyport accounts list --json', ''],
          ),
        run(foreseen(async (argv, report) => (await import('./accounts-list.ts')).listAccounts(argv, report))),
      )
      .command<OneAccount>(
        'show <name>',
        'show all that is known of one',
        yy =>
          void named(
            yy,
            'sallyport accounts show NAME',
            'Shows the entry, its id, names, groups, and whether a local account of the same name lies dormant.',
            ['sallyport accounts show alice', ''],
          ),
        run(foreseen(async (argv, report) => (await import('./accounts-list.ts')).showAccount(argv, report))),
      )
      .command<LinkArguments>(
        'link <name>',
        'hand an account over to an entry of the directory',
        yy =>
          void named(
            yy,
            'sallyport accounts link NAME [--dn DN] [--yes]',
            'Makes a local account one of the directory: it keeps its groups, and its password is that of the entry from now on. For an account of the directory whose name has moved to another entry: follows it there. Sessions end. On a terminal it asks first.',
            ['sallyport accounts link alice', 'to the entry of that name'],
            ['sallyport accounts link alice --dn uid=alice,ou=staff,o=lab', 'to this one'],
          ).options({
            dn: { type: 'string', requiresArg: true, describe: 'the entry; absent: the one that has the name' },
            yes: { type: 'boolean', default: false, describe: 'do not ask' },
          }),
        run(foreseen(async (argv, report) => (await import('./accounts-link.ts')).linkAccount(argv, report))),
      )
      .command<OneAccount>(
        'unlink <name>',
        'make it a local account again',
        yy =>
          void named(
            yy,
            'sallyport accounts unlink NAME',
            'Makes an account of the directory a local one: with the password that it had before it was linked, or else with one that nobody knows, until sallyport users passwd gives it another. Sessions end.',
            ['sallyport accounts unlink alice', ''],
          ),
        run(foreseen(async (argv, report) => (await import('./accounts-unlink.ts')).unlinkAccount(argv, report))),
      )
      .command<OneAccount>(
        'create <name>',
        'make an account before the first sign-in',
        yy =>
          void named(
            yy,
            'sallyport accounts create NAME',
            'Looks a person up in the directory, with groups, and makes the account without a sign-in. Who has no group gets none.',
            ['sallyport accounts create alice', ''],
          ),
        run(foreseen(async (argv, report) => (await import('./accounts-create.ts')).createAccount(argv, report))),
      )
      .demandCommand(1, 'say which: sallyport accounts list, show, link, unlink or create'),
}
