/**
 * `sallyport users`: local accounts, for those whom no directory knows, and for the day it is down; and who is put out,
 * whichever way they came in. This file is the command line; users-accounts.ts and users-locks.ts do the work.
 */
import type { Argv } from 'yargs'
import type { Command } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'
import { passwordFileOption } from './password-input.ts'
import type { PeopleArguments } from './people.ts'
import {
  type AddArguments,
  addAccount,
  changePassword,
  listAccounts,
  type OneAccount,
  type WithPassword,
} from './users-accounts.ts'
import { type RemoveArguments, removeAccount, setLocked } from './users-locks.ts'

const named = (y: Argv, what: string, example: string) =>
  y
    .usage(what)
    .positional('name', { type: 'string', demandOption: true, describe: 'the name of the account' })
    .options(configOption)
    .example(example, '')

export const users: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport users <command>\n\nLocal accounts of the gateway. The password is asked for twice on a terminal, read from a file, or from standard input. Changes count at once. lock, unlock and remove are also for people of the directory (sallyport accounts).',
      )
      .example('sallyport users add alice --group radiology', 'asks for her password')
      .example('sallyport users add robot --password-file secrets/robot', 'for scripts')
      .command<AddArguments>(
        'add <name>',
        'add an account',
        yy =>
          void named(
            yy,
            'sallyport users add NAME [--group G …] [--password-file F]\n\nAdds a local account. What its groups may do stands in the routes of the configuration.',
            'sallyport users add alice --group radiology pacs-admins',
          ).options({
            group: { type: 'string', array: true, requiresArg: true, default: [], describe: 'its groups' },
            ...passwordFileOption,
          }),
        run(foreseen(addAccount)),
      )
      .command<WithPassword>(
        'passwd <name>',
        'give it another password',
        yy =>
          void named(
            yy,
            'sallyport users passwd NAME [--password-file F]\n\nGives a local account another password. The old one is gone at once: sessions end, and client certificates of that name are taken back.',
            'sallyport users passwd alice',
          ).options(passwordFileOption),
        run(foreseen(changePassword)),
      )
      .command<OneAccount>(
        'lock <name>',
        'let nobody in with it',
        yy =>
          void named(
            yy,
            'sallyport users lock NAME\n\nLets nobody in with this account, and keeps it; also for a person of the directory. Sessions, downloads and sockets end, and client certificates of that name are taken back.',
            'sallyport users lock alice',
          ),
        run(foreseen(setLocked(true))),
      )
      .command<OneAccount>(
        'unlock <name>',
        'let it in again',
        yy =>
          void named(
            yy,
            'sallyport users unlock NAME\n\nLets a locked account in again, with the password that it had. Certificates that were taken back stay so.',
            'sallyport users unlock alice',
          ),
        run(foreseen(setLocked(false))),
      )
      .command<RemoveArguments>(
        'remove <name>',
        'remove an account',
        yy =>
          void named(
            yy,
            'sallyport users remove NAME [--yes]\n\nRemoves a local account for good, or forgets a person of the directory, who gets a new account at the next sign-in (lock keeps somebody out). Sessions, downloads and sockets end, and client certificates of that name are taken back. On a terminal it asks first.',
            'sallyport users remove alice',
          ).options({
            yes: { type: 'boolean', default: false, describe: 'do not ask' },
          }),
        run(foreseen(removeAccount)),
      )
      .command<PeopleArguments>(
        'list',
        'list the accounts',
        yy =>
          void yy
            .usage(
              'sallyport users list\n\nLists the local accounts with state and groups. Dormant: the directory vouches for that person now (sallyport accounts).',
            )
            .options(configOption)
            .example('sallyport users list --json', ''),
        run(foreseen(listAccounts)),
      )
      .demandCommand(1, 'say which: sallyport users add, passwd, lock, unlock, remove or list'),
}
