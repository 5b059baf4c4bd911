/**
 * Runs a real Orthanc with its DICOMweb plugin, on free ports, with a storage of its own.
 *
 * For the `demo` command and the tests; not a way to run an archive: it is ended with SIGKILL and its storage goes
 * with it. Not to forget: Orthanc cannot be told an address to bind. It listens on all of them; RemoteAccessAllowed
 * false makes its HTTP side refuse others, but its DICOM port stays open to the network unless `dicom` is false.
 *
 * Source: Orthanc Book, "Configuration of Orthanc" and "DICOMweb plugin". DicomWeb.Host stays out: with it every
 * RetrieveURL names that host, whatever Forwarded says.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onFreePorts } from './free-port.ts'
import { type Program, ProgramFailure, runProgram } from './program.ts'

export interface OrthancTerms {
  /** Name -> password. Absent: no sign-in. */
  readonly users?: Readonly<Record<string, string>>
  /** False closes the DICOM port; open when absent. */
  readonly dicom?: boolean
  /** Top-level keys of Orthanc's configuration, over those written here. */
  readonly extra?: object
}

export interface Orthanc extends AsyncDisposable {
  /** http://127.0.0.1:PORT, without a slash at the end. */
  readonly url: string
  readonly port: number
  readonly dicomPort: number
  log(): string
  /** Stores one DICOM file and resolves with Orthanc's own id for it. */
  upload(file: Buffer): Promise<string>
  stop(): Promise<void>
}

const executables = ['/usr/sbin/Orthanc', '/usr/bin/Orthanc', '/usr/local/sbin/Orthanc', '/usr/local/bin/Orthanc']
const plugins = [
  '/usr/share/orthanc/plugins/libOrthancDicomWeb.so',
  '/usr/local/share/orthanc/plugins/libOrthancDicomWeb.so',
  '/run/orthanc/plugins/libOrthancDicomWeb.so',
]

/** Where Orthanc and its DICOMweb plugin are installed; undefined if one of them is not. */
export function findOrthanc(): { readonly executable: string; readonly plugin: string } | undefined {
  const executable = executables.find(path => existsSync(path))
  const plugin = plugins.find(path => existsSync(path))
  return executable === undefined || plugin === undefined ? undefined : { executable, plugin }
}

/** Starts Orthanc; rejects with a ProgramFailure that carries its log. Disposing ends it and removes its storage. */
export async function runOrthanc(terms: OrthancTerms = {}): Promise<Orthanc> {
  const installed = findOrthanc()
  if (installed === undefined) throw new ProgramFailure('Orthanc or its DICOMweb plugin is not installed', '')

  const dir = await mkdtemp(join(tmpdir(), 'sallyport-orthanc-'))
  const remove = () => rm(dir, { recursive: true, force: true, maxRetries: 3 })
  try {
    return await onFreePorts(2, '0.0.0.0', ([port = 0, dicomPort = 0]) =>
      start(terms, { ...installed, dir, port, dicomPort, remove }),
    )
  } catch (fault) {
    await remove()
    throw fault
  }
}

interface Place {
  readonly executable: string
  readonly plugin: string
  readonly dir: string
  readonly port: number
  readonly dicomPort: number
  readonly remove: () => Promise<void>
}

async function start(terms: OrthancTerms, place: Place): Promise<Orthanc> {
  const { dir, port, dicomPort } = place
  const name = `sallyport-${randomBytes(6).toString('hex')}`
  await mkdir(join(dir, 'storage'), { recursive: true })
  // It may hold passwords.
  await writeFile(join(dir, 'orthanc.json'), JSON.stringify(settings(terms, place, name), null, 2), { mode: 0o600 })

  const [user] = Object.entries(terms.users ?? {})
  const headers = user && { authorization: `Basic ${Buffer.from(user.join(':')).toString('base64')}` }
  const ask = (method: string, path: string, body?: Buffer) => askOnce({ port, method, path, headers, body })

  const program: Program = await runProgram({
    command: place.executable,
    args: [join(dir, 'orthanc.json')],
    logFile: join(dir, 'orthanc.log'),
    // The name is asked for, since another Orthanc might answer on a port that this one failed to get.
    ready: async () => (await ask('GET', '/system')).body.includes(name),
    // It takes three seconds over SIGTERM, and its storage is thrown away.
    stopSignal: 'SIGKILL',
  })
  let lastLog: string | undefined
  const stop = async () => {
    await program.stop()
    lastLog ??= program.log()
    await place.remove()
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    dicomPort,
    log: () => lastLog ?? program.log(),
    async upload(file) {
      const { status, body } = await ask('POST', '/instances', file)
      if (status !== 200) throw new ProgramFailure(`Orthanc answered ${status} to an upload: ${body}`, program.log())
      const { ID: id } = JSON.parse(body)
      return String(id)
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

const settings = ({ users, dicom = true, extra }: OrthancTerms, place: Place, name: string): object => ({
  Name: name,
  StorageDirectory: join(place.dir, 'storage'),
  IndexDirectory: join(place.dir, 'storage'),
  // Named one by one: a folder would load every plugin that lies in it.
  Plugins: [place.plugin],
  DicomWeb: { Enable: true, Root: '/dicom-web/', EnableWado: true, WadoRoot: '/wado' },
  HttpPort: place.port,
  RemoteAccessAllowed: false,
  AuthenticationEnabled: users !== undefined,
  RegisteredUsers: users ?? {},
  DicomServerEnabled: dicom,
  DicomPort: place.dicomPort,
  DicomAet: 'ORTHANC',
  DicomAlwaysAllowEcho: true,
  DicomAlwaysAllowStore: true,
  ExecuteLuaEnabled: false,
  SaveJobs: false,
  ...extra,
})

interface Question {
  readonly port: number
  readonly method: string
  readonly path: string
  readonly headers: { readonly authorization: string } | undefined
  readonly body: Buffer | undefined
}

/** On a connection of its own: Orthanc drops idle ones after a second, which would now and then fail an upload. */
const askOnce = ({ body, headers, ...where }: Question): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const length = body && { 'content-type': 'application/dicom', 'content-length': body.length }
    const asking = request(
      { host: '127.0.0.1', ...where, headers: { ...headers, ...length }, agent: false },
      answer => {
        const parts: Buffer[] = []
        answer.on('data', part => parts.push(part))
        answer.once('error', reject)
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() }))
      },
    )
    asking.once('error', reject)
    asking.setTimeout(30_000, () => asking.destroy(new Error('no answer within 30 s')))
    asking.end(body)
  })
