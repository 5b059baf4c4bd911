/**
 * `sallyport demo`: the quick start with real parts. Orthanc with a CT study, the OHIF viewer, an account, a browser
 * certificate, the gateway in front of them. Ctrl-C stops all of it; certificates and accounts stay for the next time.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { installDebianPackages } from '../demo/debian-packages.ts'
import { findOrthanc, type Orthanc, runOrthanc } from '../demo/orthanc.ts'
import { makeCtStudy } from '../demo/sample-study.ts'
import type { Authority } from '../issuer/authority.ts'
import { issueClient } from '../issuer/leaf.ts'
import { ledgerFile, openLedger } from '../issuer/ledger.ts'
import { writeNewFile } from '../issuer/new-file.ts'
import { encodePkcs12 } from '../issuer/pkcs12.ts'
import { randomPassword } from '../issuer/random-password.ts'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import { inspect } from '../preflight.ts'
import { installViewer } from '../viewer/install.ts'
import type { Command } from './command.ts'
import { invalid, tellProblems } from './configuration.ts'
import { prepareQuickStart } from './quick-start.ts'
import { CommandEnd, type Report } from './report.ts'
import { runGateway } from './run-gateway.ts'
import { refuseForeign } from './state-owner.ts'

interface Arguments {
  port: number
  dir: string
  slices: number
  install: boolean
}

const packages = ['orthanc', 'orthanc-dicomweb']
const account = 'alice'

/** Orthanc with a sample study; undefined when it cannot be had here, which has been said. */
async function startArchive(
  { slices, install }: Arguments,
  report: Report,
): Promise<{ orthanc: Orthanc; studyUid: string } | undefined> {
  if (findOrthanc() === undefined && install) {
    const missing = installDebianPackages(packages, line => report.note(`installing: ${line}`))
    if (missing.length > 0)
      report.warn(`Orthanc is not installed. On Debian and Ubuntu, as root: apt-get install ${packages.join(' ')}`)
  }
  if (findOrthanc() === undefined) {
    report.warn('going on without Orthanc: the gateway shows what it shows when an archive is down')
    return undefined
  }
  const orthanc = await runOrthanc({ dicom: false })
  const progress = report.progress('storing a sample CT study')
  const study = makeCtStudy({ slices, size: 512, seed: 1, patientName: 'Demo^Chest' })
  for (const [index, instance] of study.instances.entries()) {
    await orthanc.upload(instance)
    progress.step((index + 1) / study.instances.length, `${index + 1} of ${study.instances.length} slices`)
  }
  progress.done()
  return { orthanc, studyUid: study.studyUid }
}

async function bringViewer(root: string, install: boolean, report: Report): Promise<void> {
  if (existsSync(join(root, 'index.html')) || !install) return
  report.note('fetching the OHIF viewer from the npm registry (50 MB, once)')
  const progress = report.progress('OHIF viewer')
  try {
    await installViewer({
      root,
      onProgress: step => progress.step(undefined, step.step === 'fetch' ? `fetching, ${step.seconds} s` : step.step),
    })
  } catch (cause) {
    report.warn(`going on without the viewer: ${cause instanceof Error ? cause.message : String(cause)}`)
  } finally {
    progress.done()
  }
}

interface BrowserCertificate {
  readonly file: string
  readonly password: string
}

/** One for the same person each time, so that a browser needs to import it once only. */
async function browserCertificate(authority: Authority, dir: string, state: string): Promise<BrowserCertificate> {
  const file = join(dir, `${account}.p12`)
  const passwordFile = join(dir, `${account}.p12.password`)
  if (existsSync(file) && existsSync(passwordFile)) return { file, password: readFileSync(passwordFile, 'utf8').trim() }
  const password = randomPassword()
  using ledger = openLedger(join(state, ledgerFile))
  const issued = await issueClient(authority, ledger, { name: account })
  const pkcs12 = await encodePkcs12({
    keyPem: issued.keyPem,
    chainPem: issued.chainPem,
    friendlyName: `${account} (sallyport demo)`,
    password,
  })
  writeFileAtomically(passwordFile, `${password}\n`, 0o600)
  writeFileAtomically(file, pkcs12, 0o600)
  return { file, password }
}

/** The account's password, kept beside it: this is a demonstration, and people come back to it. */
function rememberedPassword(file: string, fresh: string | undefined): string {
  if (fresh !== undefined) {
    writeFileAtomically(file, `${fresh}\n`, 0o600)
    return fresh
  }
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '(as you set it)'
}

function howTo(
  origin: string,
  studyUid: string | undefined,
  password: string,
  { file, password: filePassword }: BrowserCertificate,
  ca: string,
  viewer: boolean,
): string {
  return `
  Open          ${origin}/
${studyUid === undefined || !viewer ? '' : `  The study     ${origin}/viewer?StudyInstanceUIDs=${studyUid}\n`}  Account       ${account} / ${password}
  Certificate   ${file}
                password: ${filePassword}

  To come in by certificate, import both files into your browser, then open the address and choose "${account}":
    Firefox     Settings > Privacy & Security > Certificates > View Certificates:
                "Your Certificates" > Import: ${account}.p12;  "Authorities" > Import: ca.pem, trust it for web sites
    Chrome      Settings > Privacy and security > Security > Manage certificates: the same two files
    macOS       double-click both files; in Keychain Access set the authority to "Always Trust"
    Windows     double-click both files; put the authority into "Trusted Root Certification Authorities"
  The authority ${ca}
  Without it your browser warns about the certificate, and the account above works all the same.

  Ctrl-C stops all of it.
`
}

async function runDemo(argv: Arguments, report: Report): Promise<void> {
  const dir = resolve(argv.dir)
  refuseForeign(dir)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const viewer = resolve('state/ohif')
  const archive = await startArchive(argv, report)
  await using _orthanc = archive?.orthanc
  await bringViewer(viewer, argv.install, report)

  const state = join(dir, 'state')
  const { config, authority, password, viewerInstalled } = await prepareQuickStart({
    certs: join(dir, 'certs'),
    state,
    viewer,
    orthanc: archive?.orthanc.url ?? 'http://127.0.0.1:8042',
    bind: `127.0.0.1:${argv.port}`,
    account,
  })
  const certificate = await browserCertificate(authority, dir, state)
  const ca = join(dir, 'ca.pem')
  if (!existsSync(ca)) writeNewFile(ca, authority.certificatePem, 0o644)
  const shown = rememberedPassword(join(dir, `${account}.password`), password)
  const quiet = { ...config, log: { level: 'warn' as const, format: 'auto' as const } }
  const again = () => ({
    config: quiet,
    files: undefined,
    ...inspect(quiet, problem => problem, process.env, Date.now()),
  })
  const { materials, problems } = again()
  tellProblems(report, 'demo', problems)
  if (materials === undefined) throw invalid('the demo', problems)

  await runGateway({ config: quiet, materials, files: [], again }, report, () => {
    const origin = `https://localhost:${argv.port}`
    const value = {
      address: `${origin}/`,
      account: { name: account, password: shown },
      certificate: { file: certificate.file, password: certificate.password },
      authority: ca,
      study: archive?.studyUid ?? null,
    }
    report.result(howTo(origin, archive?.studyUid, shown, certificate, ca, viewerInstalled), value)
  })
}

export const demo: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport demo\n\nThe quick start with real parts: Orthanc with a sample CT study, the OHIF viewer, an account and a browser certificate.',
      )
      .options({
        port: { type: 'number', default: 8443, describe: 'where the gateway listens, on this machine only' },
        dir: {
          type: 'string',
          default: 'state/demo',
          describe: 'where certificates and accounts of the demo are kept',
        },
        slices: { type: 'number', default: 120, describe: 'size of the sample study' },
        install: {
          type: 'boolean',
          default: true,
          describe: 'fetch what is missing (--no-install: go on with what there is)',
        },
      })
      .command(
        '$0',
        false,
        () => undefined,
        run<Arguments>(async (argv, report) => {
          if (!Number.isInteger(argv.port) || argv.port < 1 || argv.port > 65_535)
            throw new CommandEnd(2, `--port ${argv.port} is no port`, 'write a number from 1 to 65535')
          if (!Number.isInteger(argv.slices) || argv.slices < 1 || argv.slices > 2000)
            throw new CommandEnd(2, `--slices ${argv.slices} is no size for a study`, 'write a number from 1 to 2000')
          await runDemo(argv, report)
        }),
      ),
}
