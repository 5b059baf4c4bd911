/**
 * An Orthanc configuration as a draft of ours, and the list of what a person must still decide. Text in, text out.
 *
 * Every option that concerns TLS, users and peers is in the draft or on the list. The draft loads as it is; the files that
 * it names must be there before the gateway starts. No secret is in either.
 *
 * Source: Orthanc Book "HTTPS encryption with Orthanc", "Orthanc peers", "DICOM TLS"; see each file for its part.
 */
import { decisionList, type Tell } from './decision.ts'
import { type DraftMap, remarked, writeDraft } from './draft.ts'
import { draftHeader } from './draft-header.ts'
import type { Imported, SourceFile } from './imported.ts'
import { drawAccess } from './orthanc-access.ts'
import { drawStream } from './orthanc-dicom.ts'
import { drawFront } from './orthanc-front.ts'
import { type Calling, drawPeers } from './orthanc-peers.ts'
import { tellDicomWeb, tellRest } from './orthanc-rest.ts'
import type { Section } from './orthanc-section.ts'
import { readOrthancSettings } from './orthanc-settings.ts'
import type { Environment } from './variables.ts'

const orthanc = { program: 'Orthanc', command: 'orthanc' }

/** @param env  where Orthanc's `${NAME}` is looked up */
export function importOrthanc(files: readonly SourceFile[], env: Environment): Imported {
  const { tell, inOrder } = decisionList()
  const read = readOrthancSettings(files, env, tell)
  if (!read.ok) return read
  const { settings } = read

  const front = drawFront(settings, tell)
  const { realms, access, upstream } = drawAccess(settings, front, tell)
  const stream = drawStream(settings, tell)
  const peers = drawCalled(settings, tell)
  tellRest(settings, tell)

  const draft: DraftMap = {
    listeners: { web: front.listener },
    realms: Object.values(realms).some(value => value !== undefined) ? realms : undefined,
    upstreams: { orthanc: upstream, ...peers },
    routes: front.isServed
      ? remarked(
          [{ path: '/', upstream: 'orthanc', access }],
          'the longest path wins; of the rules the first that names the person decides',
        )
      : undefined,
    streams: stream === undefined ? undefined : { dicom: stream },
  }
  const decisions = inOrder()
  return { ok: true, draft: writeDraft(draft, draftHeader({ ...orthanc, files }, decisions)), decisions }
}

function drawCalled(settings: Section, tell: Tell): DraftMap {
  const ca = settings.path('HttpsCACertificates')
  const verifies = settings.flag('HttpsVerifyPeers', true)
  const calling: Calling = { ca, timeout: settings.whole('HttpTimeout') ?? 0 }
  const dicomWeb = settings.section('DicomWeb')
  const taken = new Set(['orthanc'])
  const peers = drawPeers({ kind: 'orthanc', servers: settings.section('OrthancPeers') }, calling, taken, tell)
  const servers = drawPeers({ kind: 'generic', servers: dicomWeb?.section('Servers') }, calling, taken, tell)
  tellDicomWeb(dicomWeb, tell)

  const called = { ...peers, ...servers }
  const count = Object.keys(called).length
  if (count > 0) {
    const place = settings.place(settings.has('OrthancPeers') ? 'OrthancPeers' : 'DicomWeb')
    tell(
      'decide',
      place,
      `Orthanc goes on calling ${count === 1 ? 'it' : 'them'} itself. The upstream${count === 1 ? ' is' : 's are'} for people who shall get there through the gate: give ${count === 1 ? 'it' : 'them'} routes, or take ${count === 1 ? 'it' : 'them'} out`,
    )
  }
  if (!verifies)
    tell(
      'decide',
      settings.place('HttpsVerifyPeers'),
      'is false: Orthanc takes whoever answers for its peer. The gateway does not: give it the authority (tls.ca), or a pin of the certificate (tls.pins) that "sallyport certs fetch HOST:PORT" shows and the owner of the peer confirms',
    )
  else if (ca === undefined && settings.has('HttpsCACertificates'))
    tell('note', settings.place('HttpsCACertificates'), 'is empty: the authorities of the platform are trusted')
  else if (ca !== undefined && count === 0)
    tell(
      'note',
      settings.place('HttpsCACertificates'),
      'is whom Orthanc trusts when it calls others; the draft has nobody to call',
    )
  return called
}
