/**
 * `sallyport users`: local accounts, for those whom no directory knows, and for the day it is down. This file is the
 * command line; users-accounts.ts does the work.
 */
import type { Argv } from 'yargs'
import type { Command } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'
import { passwordFileOption } from './password-input.ts'
import {
  type AccountsArguments,
  type AddArguments,
  addAccount,
  changePassword,
  listAccounts,
  type OneAccount,
  type RemoveArguments,
  removeAccount,
  setLocked,
  type WithPassword,
} from './users-accounts.ts'

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
        'sallyport users <command>\n\nLocal accounts of the gateway. The password is asked for twice on a terminal, read from a file, or from standard input. Changes count at once.',
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
            'sallyport users passwd NAME [--password-file F]\n\nGives an account another password; the old one is gone at once.',
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
            'sallyport users lock NAME\n\nLets nobody in with this account, and keeps it.',
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
            'sallyport users unlock NAME\n\nLets a locked account in again, with the password that it had.',
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
            'sallyport users remove NAME [--yes]\n\nRemoves an account for good. On a terminal it asks first.',
            'sallyport users remove alice',
          ).options({
            yes: { type: 'boolean', default: false, describe: 'do not ask' },
          }),
        run(foreseen(removeAccount)),
      )
      .command<AccountsArguments>(
        'list',
        'list the accounts',
        yy =>
          void yy
            .usage('sallyport users list\n\nLists the local accounts with state and groups.')
            .options(configOption)
            .example('sallyport users list --json', ''),
        run(foreseen(listAccounts)),
      )
      .demandCommand(1, 'say which: sallyport users add, passwd, lock, unlock, remove or list'),
}
