/**
 * A gateway in front of a real Orthanc with a small study in it, and the people who use it: for the files of this folder.
 *
 * reader may read, writer may write, keeper may do everything; by Basic, so that one request is one request.
 */
import type { Test } from 'tap'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'

export const archiveTools = orthancTools

export const people = {
  reader: { password: 'reader-password', groups: ['radiology'] },
  writer: { password: 'writer-password', groups: ['scanners'] },
  keeper: { password: 'keeper-password', groups: ['pacs-admins'] },
}
export const as = (name: keyof typeof people) => `${name}:${people[name].password}`

export interface Archive {
  readonly gateway: TestGateway
  readonly orthanc: Awaited<ReturnType<typeof startOrthanc>>
  readonly study: { readonly uid: string; readonly seriesUid: string; readonly instanceUids: readonly string[] }
  /** How many instances Orthanc holds, asked of itself. */
  count(): Promise<number>
}

const access = `
    access:
      - { groups: [pacs-admins], may: everything, dangerous: true }
      - { groups: [scanners], may: write }
      - { groups: [radiology], may: read }`

/** @param settings  YAML inside the upstream */
export async function startArchive(t: Test, slices = 4, size = 64, settings = ''): Promise<Archive> {
  const orthanc = await startOrthanc(t)
  const { studyUid, seriesUid, instanceUids, instances } = makeCtStudy({ slices, size, seed: 1 })
  for (const instance of instances) await orthanc.upload(instance)
  const gateway = await startTestGateway(t, {
    accounts: people,
    yaml: `
upstreams: { orthanc: { kind: orthanc, url: "${orthanc.url}"${settings && `, ${settings}`} } }
routes:
  - path: /dicom-web
    upstream: orthanc${access}
  - path: /orthanc
    upstream: orthanc
    strip: true${access}`,
  })
  return {
    gateway,
    orthanc,
    study: { uid: studyUid, seriesUid, instanceUids },
    async count() {
      const { CountInstances: counted } = (await (await fetch(`${orthanc.url}/statistics`)).json()) as {
        CountInstances: number
      } // Orthanc's own shape
      return counted
    },
  }
}

/** Files as a STOW-RS body, with its content type. */
export function stowBody(files: readonly Buffer[]): { readonly type: string; readonly body: Buffer } {
  const boundary = 'the-boundary-of-this-upload'
  const part = (file: Buffer) => [
    Buffer.from(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`),
    file,
    Buffer.from('\r\n'),
  ]
  return {
    type: `multipart/related; type="application/dicom"; boundary=${boundary}`,
    body: Buffer.concat([...files.flatMap(part), Buffer.from(`--${boundary}--\r\n`)]),
  }
}
