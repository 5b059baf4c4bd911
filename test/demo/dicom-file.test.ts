// The bytes of a DICOM file are those of PS3.5 and PS3.10, to the last padding byte.
import t from 'tap'
import { encodeDicomFile, text, unsignedShort } from '../../src/demo/dicom-file.ts'

const file = encodeDicomFile({
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopInstanceUid: '1.2.3',
  // Not in order, on purpose.
  elements: [
    { tag: 0x7fe00010, vr: 'OW', bytes: Buffer.from([1, 2, 3]) },
    text(0x00200032, 'DS', '-1.5', '2', '10'),
    text(0x00100020, 'LO', 'ABC'),
    text(0x00080018, 'UI', '1.2.3'),
    text(0x00201040, 'LO'),
    unsignedShort(0x00280010, 512),
  ],
})

t.test('preamble, magic word, and a meta group that tells its own length', async t => {
  t.ok(file.subarray(0, 128).every(byte => byte === 0))
  t.equal(file.toString('latin1', 128, 132), 'DICM')
  t.equal(file.toString('hex', 132, 140), '02000000554c0400')
  const metaEnd = 144 + file.readUInt32LE(140)
  t.equal(file.toString('hex', metaEnd, metaEnd + 4), '08001800', 'the data set begins where the meta group ends')
})

t.test('elements ascend, and every value is padded to an even length', async t => {
  const dataSet = file.subarray(144 + file.readUInt32LE(140)).toString('hex')
  t.equal(
    dataSet,
    [
      '0800180055490600' + '312e322e3300', // UI: NUL
      '100020004c4f0400' + '41424320', // LO: space
      `2000320044530a00${Buffer.from('-1.5\\2\\10').toString('hex')}20`,
      '200040104c4f0000',
      '2800100055530200' + '0002',
      'e07f10004f57000004000000' + '01020300',
    ].join(''),
  )
})

t.test('a value that its representation cannot hold is refused by name', async t => {
  const encode = (element: ReturnType<typeof text>) =>
    encodeDicomFile({ sopClassUid: '1.2', sopInstanceUid: '1.3', elements: [element] })
  t.throws(() => encode(text(0x00100020, 'LO', 'a\nb')), { message: /^\(0010,0020\) LO: .*control character/ })
  t.throws(() => encode(text(0x00200013, 'IS', '1234567890123')), { message: /longer than 12 characters/ })
  t.throws(() => encode(text(0x0020000d, 'UI', '1..2')), { message: /not a UID/ })
})
