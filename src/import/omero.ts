/**
 * Settings of an OMERO as a draft of ours, and the list of what a person must still decide. Text in, text out.
 *
 * What OMERO asks of a directory is asked at the gate: omero.ldap.* and omero.security.* become realms. All else is
 * listed. The draft loads as it is; the files that it names must be there before the gateway starts. No secret is in
 * either.
 *
 * Source: OMERO manual "LDAP authentication", omero-server.properties; see each file for its part.
 */
import { decisionList } from './decision.ts'
import { type DraftMap, writeDraft } from './draft.ts'
import { draftHeader } from './draft-header.ts'
import type { Imported, SourceFile } from './imported.ts'
import { drawDirectory } from './omero-directory.ts'
import { drawFront } from './omero-front.ts'
import { tellIceSsl } from './omero-icessl.ts'
import { drawPasswords, providerIn } from './omero-passwords.ts'
import { tellRest } from './omero-rest.ts'
import { readOmeroSettings } from './omero-settings.ts'

export function importOmero(files: readonly SourceFile[]): Imported {
  const { tell, inOrder } = decisionList()
  const read = readOmeroSettings(files, tell)
  if (!read.ok) return read
  const { settings } = read

  const provider = providerIn(settings, tell)
  const { section, isOn } = drawDirectory(settings, tell)
  const passwords = drawPasswords(settings, { provider, isOn }, tell)
  const { listeners, ...behind } = drawFront(settings, tell)
  tellIceSsl(settings, tell)
  tellRest(settings, tell)

  const draft: DraftMap = { listeners, realms: { directory: section, ...passwords }, ...behind }
  const decisions = inOrder()
  return {
    ok: true,
    draft: writeDraft(draft, draftHeader({ program: 'OMERO', command: 'omero', files }, decisions)),
    decisions,
  }
}
