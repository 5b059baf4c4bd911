/**
 * `sallyport sessions`: who is signed in, and putting them out. This file is the command line.
 */
import type { Command } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'
import type { RevokeArguments, SessionsArguments } from './sessions-list.ts'

export const sessions: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport sessions <command>\n\nWho is signed in with a password, on this machine or on all gateways that share its Redis. Holders of certificates have no session: sallyport certs revoke.',
      )
      .example('sallyport sessions list', 'who is in')
      .example('sallyport sessions revoke --user alice', 'alice is out on all her screens')
      .command<SessionsArguments>(
        'list',
        'list who is signed in',
        yy =>
          void yy
            .usage(
              'sallyport sessions list\n\nLists open sessions, the oldest first: ID, name, realm, where from, since when, until when.',
            )
            .options(configOption)
            .example('sallyport sessions list --json', ''),
        run(foreseen(async (argv, report) => (await import('./sessions-list.ts')).listSessions(argv, report))),
      )
      .command<RevokeArguments>(
        'revoke [id]',
        'end one session, or all of a person',
        yy =>
          void yy
            .usage(
              'sallyport sessions revoke ID\nsallyport sessions revoke --user NAME\n\nEnds it everywhere within a second, with all that runs under it. The person may sign in again: sallyport users lock keeps them out.',
            )
            .options({
              ...configOption,
              user: { type: 'string', requiresArg: true, describe: 'all sessions of this person' },
            })
            .positional('id', { type: 'string', describe: 'as sallyport sessions list shows it' })
            .example('sallyport sessions revoke 0d37c91a5be42f6680', '')
            .example('sallyport sessions revoke --user alice', ''),
        run(foreseen(async (argv, report) => (await import('./sessions-list.ts')).revokeSessions(argv, report))),
      )
      .demandCommand(1, 'Name what to do.'),
}
