// The sample study is DICOM that others read as it was meant.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeCtStudy } from '../../src/demo/sample-study.ts'
import { requireReal } from '../fixture/real.ts'

const sum = (files: readonly Buffer[]) => createHash('sha256').update(Buffer.concat(files)).digest('hex')

t.test('dcmftest and dcmdump accept every file', async t => {
  if (!requireReal(t, ['dcmftest', 'dcmdump'])) return
  const { studyUid, seriesUid, instances, instanceUids } = makeCtStudy({ slices: 3, size: 63, seed: 7 })
  const dir = t.testdir()
  const files = instances.map((bytes, index) => {
    const file = join(dir, `${index}.dcm`)
    writeFileSync(file, bytes)
    return file
  })

  t.equal(execFileSync('dcmftest', files, { encoding: 'utf8' }).match(/^yes: /gm)?.length, 3)
  const dump = execFileSync('dcmdump', ['-q', '-Un', ...files], { encoding: 'utf8' })
  for (const uid of [studyUid, seriesUid, ...instanceUids]) {
    t.match(uid, /^2\.25\.[1-9][0-9]{0,38}$/)
    t.ok(dump.includes(`[${uid}]`))
  }
  t.equal(new Set(instanceUids).size, 3)
})

t.test('pydicom reads names in UTF-8, positions, window and Hounsfield units', async t => {
  if (!requireReal(t, ['/usr/bin/python3', '/usr/lib/python3/dist-packages/pydicom/__init__.py'])) return
  const { instances } = makeCtStudy({ slices: 3, size: 64, seed: 1, patientName: 'Müller^Jörg', studyUid: '1.2.3.4' })
  const file = join(t.testdir(), 'second.dcm')
  writeFileSync(file, instances[1] ?? '')
  const script = `
import json, sys, warnings
warnings.simplefilter('error')
import pydicom
d = pydicom.dcmread(sys.argv[1])
hu = d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept)
print(json.dumps({
  'syntax': d.file_meta.TransferSyntaxUID.name, 'class': d.SOPClassUID.name, 'study': d.StudyInstanceUID,
  'family': d.PatientName.family_name, 'given': d.PatientName.given_name,
  'position': [float(v) for v in d.ImagePositionPatient], 'spacing': [float(v) for v in d.PixelSpacing],
  'orientation': [float(v) for v in d.ImageOrientationPatient], 'frame': len(d.FrameOfReferenceUID) > 5,
  'window': [float(d.WindowCenter), float(d.WindowWidth)], 'shape': list(hu.shape), 'number': int(d.InstanceNumber),
  'air': float(hu[0:4, 0:4].mean()), 'lung': float(hu[30:34, 20:23].mean()), 'bone': float(hu.max())}))`
  const seen = JSON.parse(execFileSync('/usr/bin/python3', ['-c', script, file], { encoding: 'utf8' }))

  t.match(seen, {
    syntax: 'Explicit VR Little Endian',
    class: 'CT Image Storage',
    study: '1.2.3.4',
    family: 'Müller',
    given: 'Jörg',
    position: [-177.1875, -177.1875, 2],
    spacing: [5.625, 5.625],
    orientation: [1, 0, 0, 0, 1, 0],
    frame: true,
    window: [40, 400],
    shape: [64, 64],
    number: 2,
  })
  t.ok(seen.air < -960 && seen.air > -1024, `air is about -1000 HU: ${seen.air}`)
  t.ok(seen.lung < -700 && seen.lung > -950, `the lung is about -850 HU: ${seen.lung}`)
  t.ok(seen.bone > 200 && seen.bone < 700, `the brightest is bone: ${seen.bone}`)
})

t.test('the same terms give the same bytes, other terms give other names', async t => {
  const terms = { slices: 2, size: 32, seed: 5 }
  const study = makeCtStudy(terms)
  t.equal(sum(makeCtStudy(terms).instances), sum(study.instances))
  const others = [
    { ...terms, seed: 6 },
    { ...terms, size: 33 },
    { ...terms, slices: 3 },
    { ...terms, patientName: 'A^B' },
  ]
  for (const other of others.map(makeCtStudy)) {
    t.not(other.studyUid, study.studyUid)
    t.not(other.instanceUids[0], study.instanceUids[0])
  }
})

t.test('terms that DICOM cannot hold are refused', async t => {
  const terms = { slices: 1, size: 16, seed: 1 }
  t.throws(() => makeCtStudy({ ...terms, slices: 0 }), RangeError)
  t.throws(() => makeCtStudy({ ...terms, size: 70_000 }), RangeError)
  t.throws(() => makeCtStudy({ ...terms, patientName: 'One\\Two' }), RangeError)
  t.throws(() => makeCtStudy({ ...terms, patientName: 'x'.repeat(65) }), RangeError)
  t.throws(() => makeCtStudy({ ...terms, studyUid: '1.02.3' }), RangeError)
})

t.test('120 slices of 512 x 512 take less than three seconds', async t => {
  const began = performance.now()
  const { instances } = makeCtStudy({ slices: 120, size: 512, seed: 1 })
  const took = performance.now() - began
  t.equal(instances.length, 120)
  t.ok((instances[119]?.length ?? 0) > 512 * 512 * 2)
  t.ok(took < 3_000, `took ${Math.round(took)} ms`)
})
