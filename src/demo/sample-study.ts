/**
 * Makes a CT study out of nothing: a series of DICOM files that any archive accepts and any viewer shows.
 *
 * It holds no real person's data and sends nothing anywhere; pixels come from `phantom.ts`, bytes from
 * `dicom-file.ts`. Not to forget: the same terms give the same bytes and the same UIDs, and other terms give other
 * UIDs, so that an archive never sees two different images under one name.
 *
 * Source: DICOM PS3.3 A.3 (CT Image IOD), C.7.6.2 (image plane), C.8.2.1 (CT image); PS3.5 B.2 (UIDs under 2.25).
 */
import { createHash } from 'node:crypto'
import { type DicomElement, encodeDicomFile, text, unsignedShort } from './dicom-file.ts'
import { createPhantom, rescaleIntercept } from './phantom.ts'

export interface CtTerms {
  readonly slices: number
  /** Rows and columns. */
  readonly size: number
  readonly seed: number
  /** As DICOM writes names, family^given; 'Sample^Chest' when absent. UTF-8. */
  readonly patientName?: string
  /** Absent: derived from the other terms. */
  readonly studyUid?: string
}

export interface CtStudy {
  readonly studyUid: string
  readonly seriesUid: string
  /** Complete Part 10 files, from the lowest slice to the highest. */
  readonly instances: readonly Buffer[]
  readonly instanceUids: readonly string[]
}

const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2'
/** Millimetres that the image covers from edge to edge, and between two slices. */
const fieldOfView = 360
const spacing = 2

/** A chest CT of `slices` images. Throws a RangeError for terms that DICOM cannot express. */
export function makeCtStudy(terms: CtTerms): CtStudy {
  const { slices, size, seed, patientName = 'Sample^Chest' } = terms
  if (!Number.isSafeInteger(slices) || slices < 1) throw new RangeError(`slices: ${slices} is not a number of images`)
  if (!Number.isSafeInteger(size) || size < 8 || size > 4096)
    throw new RangeError(`size: ${size} is not within 8..4096`)
  if (!Number.isSafeInteger(seed) || seed < 0 || seed > 999_999)
    throw new RangeError(`seed: ${seed} is not within 0..999999`)

  const uid = (what: string) => derivedUid([seed, slices, size, patientName, terms.studyUid ?? '', what].join('\n'))
  const studyUid = terms.studyUid ?? uid('study')
  const seriesUid = uid('series')
  const frameUid = uid('frame of reference')
  const shared = sharedElements({ size, seed, patientName, studyUid, seriesUid, frameUid })
  const draw = createPhantom({ slices, size, seed })

  const instanceUids: string[] = []
  const instances: Buffer[] = []
  for (let index = 0; index < slices; index++) {
    const sopInstanceUid = uid(`image ${index}`)
    const own = imageElements({ index, size, sopInstanceUid, pixels: draw(index) })
    instanceUids.push(sopInstanceUid)
    instances.push(encodeDicomFile({ sopClassUid: ctImageStorage, sopInstanceUid, elements: [...shared, ...own] }))
  }
  return { studyUid, seriesUid, instances, instanceUids }
}

/** What all images of the series have in common. */
function sharedElements(series: {
  readonly size: number
  readonly seed: number
  readonly patientName: string
  readonly studyUid: string
  readonly seriesUid: string
  readonly frameUid: string
}): DicomElement[] {
  const pixel = decimal(fieldOfView / series.size)
  const number = String(series.seed).padStart(4, '0')
  return [
    text(0x00080005, 'CS', 'ISO_IR 192'),
    text(0x00080008, 'CS', 'ORIGINAL', 'PRIMARY', 'AXIAL'),
    text(0x00080016, 'UI', ctImageStorage),
    ...[0x00080020, 0x00080021, 0x00080022, 0x00080023].map(tag => text(tag, 'DA', '20260102')),
    ...[0x00080030, 0x00080031, 0x00080032].map(tag => text(tag, 'TM', '101500')),
    text(0x00080050, 'SH', `ACC${number}`),
    text(0x00080060, 'CS', 'CT'),
    text(0x00080070, 'LO', 'sallyport'),
    text(0x00080090, 'PN', 'Referring^Doctor'),
    text(0x00081030, 'LO', 'Chest CT (synthetic)'),
    text(0x0008103e, 'LO', `Axial ${spacing} mm`),
    text(0x00081090, 'LO', 'Phantom'),
    text(0x00100010, 'PN', series.patientName),
    text(0x00100020, 'LO', `PID${number}`),
    text(0x00100030, 'DA', '19700101'),
    text(0x00100040, 'CS', 'O'),
    text(0x00180015, 'CS', 'CHEST'),
    text(0x00180050, 'DS', decimal(spacing)),
    text(0x00180060, 'DS', '120'),
    text(0x00185100, 'CS', 'HFS'),
    text(0x0020000d, 'UI', series.studyUid),
    text(0x0020000e, 'UI', series.seriesUid),
    text(0x00200010, 'SH', `S${number}`),
    text(0x00200011, 'IS', '1'),
    text(0x00200012, 'IS', '1'),
    text(0x00200037, 'DS', '1', '0', '0', '0', '1', '0'),
    text(0x00200052, 'UI', series.frameUid),
    text(0x00201040, 'LO'),
    unsignedShort(0x00280002, 1),
    text(0x00280004, 'CS', 'MONOCHROME2'),
    unsignedShort(0x00280010, series.size),
    unsignedShort(0x00280011, series.size),
    text(0x00280030, 'DS', pixel, pixel),
    unsignedShort(0x00280100, 16),
    unsignedShort(0x00280101, 12),
    unsignedShort(0x00280102, 11),
    unsignedShort(0x00280103, 0),
    text(0x00280301, 'CS', 'NO'),
    text(0x00281050, 'DS', '40'),
    text(0x00281051, 'DS', '400'),
    text(0x00281052, 'DS', String(rescaleIntercept)),
    text(0x00281053, 'DS', '1'),
    text(0x00281054, 'LO', 'HU'),
  ]
}

/** What one image has of its own. */
function imageElements(image: {
  readonly index: number
  readonly size: number
  readonly sopInstanceUid: string
  readonly pixels: Buffer
}): DicomElement[] {
  // Position means the centre of the first pixel, half a pixel inside the edge (PS3.3 C.7.6.2.1.1).
  const corner = decimal(fieldOfView / image.size / 2 - fieldOfView / 2)
  const height = decimal(image.index * spacing)
  const seconds = Math.floor(image.index / 10) % 60
  return [
    text(0x00080018, 'UI', image.sopInstanceUid),
    text(0x00080033, 'TM', `1015${String(seconds).padStart(2, '0')}.${image.index % 10}`),
    text(0x00200013, 'IS', String(image.index + 1)),
    text(0x00200032, 'DS', corner, corner, height),
    text(0x00201041, 'DS', height),
    { tag: 0x7fe00010, vr: 'OW', bytes: image.pixels },
  ]
}

/** At most 16 characters, as DS allows. */
const decimal = (value: number): string => String(Number(value.toFixed(6)))

/** 2.25 and a number made of 128 bits, which is at most 44 characters. The marks of a UUID of version 8 are set. */
function derivedUid(source: string): string {
  const bits = createHash('sha256').update(`sallyport sample study\n${source}`).digest().subarray(0, 16)
  bits.writeUInt8((bits.readUInt8(6) & 0x0f) | 0x80, 6)
  bits.writeUInt8((bits.readUInt8(8) & 0x3f) | 0x80, 8)
  return `2.25.${BigInt(`0x${bits.toString('hex')}`)}`
}
