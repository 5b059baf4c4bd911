/**
 * A small hospital for browser tests: a real Orthanc with a CT study, the real viewer, and the gateway in front; with
 * `directory`, a real slapd behind the login page.
 *
 *   /            viewer    whoever has signed in
 *   /dicom-web   Orthanc   radiology, to read
 *   /orthanc     Orthanc   pacs-admins, everything; the prefix is stripped
 *
 * Call requireReal(t, hospitalTools) first, or the directory's too.
 */
import type { Test } from 'tap'
import { startAuthority, type TestAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { type Slapd, slapdTools, startSlapd } from '../fixture/slapd.ts'
import { viewerRoot } from '../fixture/viewer.ts'

export const hospitalTools = orthancTools
export const directoryTools = slapdTools

export const slices = 24
const patientName = 'Sample^Chest'

interface HospitalOptions {
  readonly certificate?: 'none' | 'optional'
  /** Groups of everyone who comes with a certificate. */
  readonly certificateGroups?: readonly string[]
  readonly directory?: boolean
}

export interface Hospital {
  readonly gateway: TestGateway
  readonly authority: TestAuthority
  readonly studyUid: string
  /** Path of the viewer with the study in it. */
  readonly viewer: string
}

export async function startHospital(t: Test, options: HospitalOptions): Promise<Hospital> {
  const { certificate = 'optional', certificateGroups = [], directory = false } = options
  const authority = await startAuthority(t)
  const [root, orthanc, slapd] = await Promise.all([
    viewerRoot(t),
    startOrthanc(t, { study: { slices, size: 256, patientName } }),
    directory ? startDirectory(t, authority) : undefined,
  ])
  const yaml = `
realms:
  certificate: { groups: [${certificateGroups.join(', ')}] }
  ${slapd === undefined ? '' : directoryYaml(slapd, authority)}
upstreams:
  viewer: { kind: ohif, root: ${root} }
  orthanc: { kind: orthanc, url: "${orthanc.url}", cache: { memory: 64 MB }, compress: always }
routes:
  - { path: /, upstream: viewer, access: authenticated }
  - { path: /dicom-web, upstream: orthanc, access: [{ groups: [radiology], may: read }] }
  - { path: /orthanc, upstream: orthanc, strip: true, access: [{ groups: [pacs-admins], may: everything }] }
`
  const files = slapd === undefined ? {} : { 'ldap-password': slapd.reader.password }
  const gateway = await startTestGateway(t, { authority, certificate, yaml, files })
  return { gateway, authority, studyUid: orthanc.studyUid, viewer: `/viewer?StudyInstanceUIDs=${orthanc.studyUid}` }
}

async function startDirectory(t: Test, authority: TestAuthority): Promise<Slapd> {
  const { certPem, keyPem } = await authority.server(['localhost'], ['127.0.0.1'])
  return await startSlapd(t, { tls: { cert: certPem, key: keyPem, ca: authority.caPem } })
}

const directoryYaml = (slapd: Slapd, { caFile }: TestAuthority): string => `
  directory:
    enabled: true
    urls: ["${slapd.ldapsUrl}"]
    tls: { ca: ${caFile} }
    username: "${slapd.reader.dn}"
    password: { file: ldap-password }
    base: "${slapd.base}"
    userFilter: (objectClass=inetOrgPerson)
    userMapping: omeName=uid,firstName=givenName,lastName=sn,email=mail
    newUserGroup: ":query:(member=@{dn})"`
