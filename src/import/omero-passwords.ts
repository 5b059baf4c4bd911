/**
 * omero.security.*: who is asked for a password, how names are compared, and what keeps strangers from trying.
 *
 * Not to forget: `passwordProvider: directory` without a directory does not load, so it is told, not written, where the
 * directory stays off.
 *
 * Source: omero-server service-ome.api.IAdmin.xml (the providers, and which of them go by ignore_case), omero-server.properties.
 */
import { quoted, type Tell } from './decision.ts'
import { type DraftMap, remarked } from './draft.ts'
import type { OmeroSettings } from './omero-property.ts'

const option = (last: string) => `omero.security.${last}`
const key = option('password_provider')

type Provider = 'chained' | 'chained431' | 'directory' | 'local'

/** Beans that OMERO has; the cure for those that have no like here. */
const providers: ReadonlyMap<string, readonly [provider: Provider, cure?: string]> = new Map([
  ['chainedPasswordProvider', ['chained']],
  ['chainedPasswordProvider431', ['chained431']],
  ['ldapPasswordProvider', ['directory']],
  ['jdbcPasswordProvider', ['local']],
  [
    'chainedPasswordProviderNoSalt',
    [
      'chained',
      'local passwords here are always salted. The draft says chained; whoever has a local password gets a new one: sallyport users add NAME',
    ],
  ],
  [
    'jdbcPasswordProviderNoSalt',
    [
      'local',
      'local passwords here are always salted. The draft says local; whoever has one gets a new one: sallyport users add NAME',
    ],
  ],
  ['jdbcHashedPasswordProvider', ['local', 'local passwords are hashed here. The draft says local']],
  [
    'ldapPasswordProvider431',
    [
      'directory',
      'the directory alone, with the filter asked at the first sign-in only, is not to be had. The draft says directory, which asks it each time',
    ],
  ],
])

/** Before the directory is drawn: a provider that nobody knows leaves it off. */
export function providerIn(settings: OmeroSettings, tell: Tell): Provider | undefined {
  const written = settings.text(key)
  if (written === undefined) return settings.isUnclear(key) ? undefined : 'chained'
  const found = providers.get(written)
  if (found === undefined) {
    settings.makeUnclear(key)
    tell(
      'decide',
      settings.place(key),
      `${quoted(written)} is no provider that OMERO brings; known here: chained, chained431, directory, local`,
    )
    return undefined
  }
  const [provider, cure] = found
  if (cure !== undefined) tell('decide', settings.place(key), `${written} is not taken: ${cure}`)
  return provider
}

export function drawPasswords(
  settings: OmeroSettings,
  { provider, isOn }: { provider: Provider | undefined; isOn: boolean },
  tell: Tell,
): DraftMap {
  const place = settings.place(key)
  const isMissing = provider === 'directory' && !isOn
  if (isMissing)
    tell(
      'decide',
      place,
      'asks the directory only, which is off in the draft. With enabled: true write passwordProvider: directory too, else local accounts count beside it',
    )
  if (provider !== 'directory')
    tell(
      'decide',
      place,
      'users with a password in the database of OMERO (root is one) are not in these settings; who of them shall pass the gate gets an account: sallyport users add NAME',
    )
  tellAttempts(settings, tell)
  return {
    passwordProvider:
      provider === undefined || provider === 'chained' || isMissing ? undefined : remarked(provider, key),
    ignoreCase: ignoreCaseIn(settings, provider, tell) ? remarked(true, option('ignore_case')) : undefined,
  }
}

function ignoreCaseIn(settings: OmeroSettings, provider: Provider | undefined, tell: Tell): boolean {
  const ignored = option('ignore_case')
  const place = settings.place(ignored)
  const ignores = settings.flag(ignored, false)
  if (settings.isUnclear(ignored) && settings.text(ignored) === undefined)
    tell('decide', place, 'is not known, and the draft tells JSmith from jsmith')
  if (ignores)
    tell(
      'decide',
      place,
      provider === 'chained'
        ? 'is true: names are made small before all else, so local accounts with a capital in their name get nobody in; add them in small letters'
        : 'is true, which OMERO itself heeds with chainedPasswordProvider only. Here it holds whoever is asked: names are made small, and local accounts with a capital get nobody in; take ignoreCase out of the draft where that is not meant',
    )
  return ignores
}

function tellAttempts(settings: OmeroSettings, tell: Tell): void {
  for (const last of ['login_failure_throttle_count', 'login_failure_throttle_time'])
    if (settings.has(option(last)))
      tell(
        'note',
        settings.place(option(last)),
        'lets OMERO answer a name that failed too often more slowly. The gateway does not try it any more for a while, by name, by address and altogether: realms.throttle, whose defaults the draft keeps',
      )
  const required = option('password_required')
  if (!settings.has(required)) return
  const isRequired = settings.flag(required, true)
  if (settings.isUnclear(required)) return
  if (isRequired) tell('note', settings.place(required), 'is true, as it always is here')
  else
    tell(
      'decide',
      settings.place(required),
      'is not true: OMERO lets a local user without a password in. Nobody gets in here without one: sallyport users add NAME',
    )
}
