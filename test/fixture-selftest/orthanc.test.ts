// The Orthanc fixture is a real Orthanc, with a study, with passwords, and gone afterwards.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'
import { runOrthanc } from '../../src/demo/orthanc.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'

t.test('it holds the study it was given, and names no fixed host', async t => {
  if (!requireReal(t, orthancTools)) return
  const orthanc = await startOrthanc(t, { study: { slices: 3, size: 64, patientName: 'Müller^Jörg' } })
  const answer = await fetch(`${orthanc.url}/dicom-web/studies`, {
    headers: { forwarded: 'proto=https;host=gateway.test:8443' },
  })
  const [study] = JSON.parse(await answer.text())
  t.same(study['0020000D'].Value, [orthanc.studyUid])
  t.same(study['00201208'].Value, [3])
  t.same(study['00100010'].Value, [{ Alphabetic: 'Müller^Jörg' }])
  t.same(study['00081190'].Value, [`https://gateway.test:8443/dicom-web/studies/${orthanc.studyUid}`])
})

t.test('with users it asks for a password, also of the upload', async t => {
  if (!requireReal(t, orthancTools)) return
  const orthanc = await startOrthanc(t, { users: { demo: 'a pass:word' } })
  const instances = `${orthanc.url}/instances`
  t.equal((await fetch(instances)).status, 401)
  const [file] = makeCtStudy({ slices: 1, size: 32, seed: 2 }).instances
  const id = await orthanc.upload(file ?? Buffer.alloc(0))
  const authorization = `Basic ${Buffer.from('demo:a pass:word').toString('base64')}`
  t.same(await (await fetch(instances, { headers: { authorization } })).json(), [id])
  await t.rejects(orthanc.upload(Buffer.from('not DICOM')), /Orthanc answered 400/)
})

t.test('its DICOM port answers, or is shut', async t => {
  if (!requireReal(t, [...orthancTools, 'echoscu'])) return
  const echo = (port: number) =>
    execFileSync('echoscu', ['-aec', 'ORTHANC', '127.0.0.1', String(port)], { stdio: 'pipe' })
  const open = await startOrthanc(t)
  t.doesNotThrow(() => echo(open.dicomPort))

  const shut = await runOrthanc({ dicom: false })
  t.teardown(() => shut.stop())
  t.throws(() => echo(shut.dicomPort))
})

t.test('a start that fails says why, and a stop leaves nothing behind', async t => {
  if (!requireReal(t, orthancTools)) return
  await t.rejects(runOrthanc({ extra: { DicomWeb: 3 } }), /ended at once.*DICOMweb plugin: Bad file format/s)

  const orthanc = await runOrthanc()
  const storage = /storage directory: "(.*?)"/i.exec(orthanc.log())?.[1] ?? ''
  t.ok(existsSync(storage), `it stores in ${storage}`)
  await orthanc.stop()
  await orthanc.stop()
  t.notOk(existsSync(storage))
  t.match(orthanc.log(), 'Orthanc has started', 'its log outlives it')
  await t.rejects(fetch(orthanc.url))
})
