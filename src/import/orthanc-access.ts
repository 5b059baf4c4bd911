/**
 * Who was let in by Orthanc, as accounts, groups and rules of the gateway, and how the gateway gets into Orthanc.
 *
 * A draft never opens more than Orthanc did: where the two cannot be said alike it is closed, and told. Passwords are
 * looked at only to see that there is one; none is part of a draft or a message.
 *
 * Source: OrthancServer Sources/main.cpp (AuthenticationEnabled follows RemoteAccessAllowed), HttpServer.cpp (Basic only).
 */
import { PersonName } from '../config/scalars.ts'
import type { Tell } from './decision.ts'
import { type DraftMap, type DraftValue, remarked } from './draft.ts'
import type { Front } from './orthanc-front.ts'
import type { Section } from './orthanc-section.ts'
import { shellWord } from './shell-word.ts'

/** Whoever had a password of Orthanc, and whoever had a certificate that it trusted. */
const usersGroup = 'orthanc-users'
const clientsGroup = 'orthanc-clients'

export interface Access {
  readonly realms: DraftMap
  readonly access: DraftValue
  readonly upstream: DraftMap
}

export function drawAccess(settings: Section, front: Front, tell: Tell): Access {
  const remote = settings.flag('RemoteAccessAllowed', false)
  const signsIn = settings.flag('AuthenticationEnabled', remote)
  const users = namesOf(settings, signsIn, tell)
  tellReach(settings, remote, signsIn, tell)
  const byCertificate = front.asksForCertificates
  if (signsIn) {
    tell(
      'change',
      settings.place('RegisteredUsers'),
      'keep one account, "gateway", with a new password that stands in secrets/orthanc-gateway too: the gateway signs in with it, people sign in at the gateway',
    )
  }
  return {
    realms: {
      certificate: byCertificate
        ? { groups: remarked([clientsGroup], 'every holder of a certificate that is trusted') }
        : undefined,
      basic: signsIn ? remarked(true, 'peers and scripts send Authorization: Basic') : undefined,
    },
    access: accessOf(settings, { signsIn, byCertificate, count: users.length }, tell),
    upstream: {
      kind: 'orthanc',
      url: remarked(front.upstreamUrl, 'by address: for Orthanc "localhost" over IPv6 is not local'),
      credentials: signsIn ? { username: 'gateway', password: { file: 'secrets/orthanc-gateway' } } : undefined,
      connections: connectionsOf(settings, tell),
      maxBody: maxBodyOf(settings),
    },
  }
}

/** Those who can be given an account; a word on each. */
function namesOf(settings: Section, signsIn: boolean, tell: Tell): readonly string[] {
  const users = settings.section('RegisteredUsers')
  if (!signsIn) {
    const count = users?.keys().length ?? 0
    if (count > 0)
      tell(
        'note',
        settings.place('RegisteredUsers'),
        `its ${count === 1 ? 'user is' : `${count} users are`} not asked for a password by Orthanc, as AuthenticationEnabled is false`,
      )
    return []
  }
  const names: string[] = []
  for (const name of users?.keys() ?? []) {
    const place = users?.place(name) ?? { option: 'RegisteredUsers' }
    if (users?.secret(name) === undefined) continue
    if (name.includes(':') || !PersonName.safeParse(name).success) {
      tell('problem', place, 'is no name that HTTP Basic can carry: no colon, no control characters, not empty')
      continue
    }
    names.push(name)
    const word = shellWord(name, 'NAME')
    tell(
      'decide',
      place,
      `sallyport users add ${word} --group ${usersGroup} --password-file FILE   (the old password stands in plain text: better a new one)`,
    )
  }
  if (names.length === 0)
    tell(
      'decide',
      settings.place('RegisteredUsers'),
      `no user is registered, and passwords are asked for: older versions of Orthanc then let orthanc:orthanc in, newer ones do not start; sallyport users add NAME --group ${usersGroup}`,
    )
  return names
}

function tellReach(settings: Section, remote: boolean, signsIn: boolean, tell: Tell): void {
  const place = settings.place('RemoteAccessAllowed')
  if (remote)
    tell(
      'change',
      place,
      'set it to false where the gateway runs on the same machine: Orthanc then answers 127.0.0.1 only',
    )
  else if (!signsIn)
    tell(
      'note',
      place,
      'is false: Orthanc let nobody from other machines in. Behind the gateway everybody is local to it, so only the rules of the draft decide',
    )
}

function accessOf(
  settings: Section,
  { signsIn, byCertificate, count }: { signsIn: boolean; byCertificate: boolean; count: number },
  tell: Tell,
): DraftValue {
  const rule = (group: string, proof?: string): DraftMap => ({
    groups: [group],
    may: 'everything',
    proof: proof === undefined ? undefined : [proof],
  })
  const place = settings.place(
    signsIn ? 'AuthenticationEnabled' : byCertificate ? 'SslVerifyPeers' : 'AuthenticationEnabled',
  )
  if (signsIn || byCertificate)
    tell(
      'decide',
      place,
      'everybody whom Orthanc let in could do everything, to the point of running code there. The draft allows all but what is dangerous (scripts, shutdown, /peers, /modalities, /webdav, exports); who needs that gets dangerous: true in a rule of their own, who only reads may: read, who only sends may: write',
    )
  if (signsIn && byCertificate) {
    tell(
      'decide',
      settings.place('SslVerifyPeers'),
      `Orthanc wanted a certificate and a password. Here a certificate is a proof by itself, and the draft lets nobody do anything by certificate alone: people sign in on the login page. For peers and scripts add the rule { groups: [${clientsGroup}], may: write, proof: [certificate] }, or give the certificates names of their own (realms.certificate.people)`,
    )
  }
  if (signsIn) return [rule(usersGroup)]
  if (byCertificate) return [rule(clientsGroup, 'certificate')]
  tell(
    'decide',
    place,
    `Orthanc asked for neither password nor certificate${count > 0 ? '' : ', and registered nobody'}. The draft lets in only who signs in: sallyport users add NAME, certificates (clients), or a directory`,
  )
  return 'authenticated'
}

/** Orthanc has a thread for each connection, idle ones too, and stalls when none is left. */
function connectionsOf(settings: Section, tell: Tell): DraftValue | undefined {
  const threads = settings.whole('HttpThreadsCount')
  if (threads === undefined || threads === 50) return undefined
  if (threads < 2)
    tell(
      'change',
      settings.place('HttpThreadsCount'),
      'give it more threads: with one, every request waits for the one before',
    )
  return remarked(Math.min(1000, Math.max(1, Math.floor(threads * 0.8))), `below HttpThreadsCount ${threads}`)
}

function maxBodyOf(settings: Section): DraftValue | undefined {
  const megabytes = settings.whole('MaximumRequestBodySizeMB')
  if (megabytes === undefined) return undefined
  return remarked(megabytes === 0 || megabytes > 999_999_999 ? 0 : `${megabytes} MB`, 'MaximumRequestBodySizeMB')
}
