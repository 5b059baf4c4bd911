/**
 * Draws the slices of a made-up chest: skin, muscle, lungs with vessels, heart, liver, spine, ribs, couch, noise.
 *
 * It looks like a CT and belongs to nobody; it knows nothing of DICOM. Values are Hounsfield units while it draws
 * and stored values (HU + 1024, 12 bit) when it is done.
 * Not to forget: the same terms give the same bytes on every machine, so there is no Math.random here.
 *
 * Source: none; the proportions are those of an adult in a 36 cm field of view, drawn by eye.
 */
import { endianness } from 'node:os'

export interface PhantomTerms {
  readonly slices: number
  /** Rows and columns of a slice. */
  readonly size: number
  readonly seed: number
}

/** An ellipse in a field of 512 x 512 units with its origin in the middle; y points to the back, x to the left hand. */
interface Ellipse {
  readonly x: number
  readonly y: number
  readonly a: number
  readonly b: number
  /** Radians; 0 when absent. */
  readonly turn?: number
  readonly hu: number
}

export const rescaleIntercept = -1024

/** Returns a function that draws slice `index` (0 is the lowest) as 16 bit little endian pixels. */
export function createPhantom({ slices, size, seed }: PhantomTerms): (index: number) => Buffer {
  const hounsfield = new Int16Array(size * size)
  const noise = noiseField(size * size, seed)
  const phase = (seed % 97) / 97

  return index => {
    const z = slices === 1 ? 0 : (index / (slices - 1)) * 2 - 1
    hounsfield.fill(-1000)
    for (const ellipse of anatomy(z, phase)) fill(hounsfield, size, ellipse)
    return develop(hounsfield, size, noise, seed * 1009 + index * 7919)
  }
}

/** What a slice at height z (-1 the diaphragm, 1 the top of the lungs) shows; later ones cover earlier ones. */
function anatomy(z: number, phase: number): Ellipse[] {
  const body = 1 - 0.18 * Math.max(0, z) ** 2
  const lung = Math.sqrt(Math.max(0.04, 1 - z * z * (z > 0 ? 0.75 : 0.45)))
  const heart = Math.sqrt(Math.max(0, 1 - ((z + 0.25) / 0.6) ** 2))
  const liver = Math.sqrt(Math.max(0, 1 - ((z + 1.1) / 0.62) ** 2))
  const list: Ellipse[] = [
    { x: 0, y: 158, a: 205, b: 14, hu: -150 },
    { x: 0, y: 151, a: 200, b: 11, hu: -960 },
    { x: 0, y: 0, a: 196 * body, b: 142 * body, hu: -95 },
    { x: 0, y: 2, a: 180 * body, b: 127 * body, hu: 48 },
  ]
  for (const side of [-1, 1]) {
    list.push({ x: side * 84, y: -6, a: 70 * lung * body, b: 98 * lung * body, turn: side * 0.12, hu: -845 })
    for (let branch = 0; branch < 9; branch++) {
      const angle = branch * 0.7 + phase * 6 + z * 2.4 * side
      const reach = 12 + branch * 5 * lung
      const radius = Math.max(1.2, 5 - branch * 0.42)
      list.push({ x: side * 82 + reach * Math.cos(angle), y: reach * Math.sin(angle), a: radius, b: radius, hu: 35 })
    }
  }
  list.push({ x: 4, y: -24, a: 40, b: 78 * lung, hu: 20 })
  if (liver > 0) list.push({ x: -84, y: -4, a: 78 * liver, b: 100 * liver, hu: 62 })
  if (heart > 0) {
    list.push({ x: 22, y: -34, a: 62 * heart, b: 50 * heart, turn: 0.5, hu: 45 })
    list.push({ x: 34, y: -24, a: 26 * heart, b: 19 * heart, turn: 0.6, hu: 165 })
    list.push({ x: 0, y: -42, a: 22 * heart, b: 19 * heart, hu: 150 })
  }
  if (z > -0.1) list.push({ x: -8, y: -38, a: 15, b: 15, hu: 170 })
  if (z > 0.15) list.push({ x: 0, y: 12, a: 9, b: 8, hu: -990 })
  list.push({ x: 22, y: 62, a: 13, b: 13, hu: 175 })
  list.push({ x: 8, y: 46, a: 7, b: 6, hu: 25 })
  list.push(...bones(z, body))
  // The finding: a small round nodule in the right lung, for whoever looks for it.
  const nodule = 1 - ((z - 0.2 - phase * 0.3) / 0.06) ** 2
  if (nodule > 0) list.push({ x: -98, y: -22 + phase * 40, a: 7 * Math.sqrt(nodule), b: 7 * Math.sqrt(nodule), hu: 40 })
  return list
}

function bones(z: number, body: number): Ellipse[] {
  const list: Ellipse[] = [
    { x: 0, y: 92 * body, a: 26, b: 20, hu: 520 },
    { x: 0, y: 92 * body, a: 21, b: 15, hu: 210 },
    { x: 0, y: 113 * body, a: 12, b: 10, hu: 540 },
    { x: 0, y: 113 * body, a: 8, b: 7, hu: 20 },
    { x: 0, y: 126 * body, a: 4, b: 10, hu: 480 },
    { x: 0, y: -112 * body, a: 20, b: 6, hu: 330 },
  ]
  for (const side of [-1, 1]) {
    for (let rib = 0; rib < 6; rib++) {
      // Ribs slope downwards and forwards, so they wander along the chest wall from slice to slice.
      const angle = -1.25 + ((rib + z * 4 + 40) % 6) * 0.44
      const [x, y] = [side * 171 * body * Math.cos(angle), 118 * body * Math.sin(angle)]
      const turn = Math.atan2(118 * Math.cos(angle), -side * 171 * Math.sin(angle))
      list.push({ x, y, a: 17, b: 5.5, turn, hu: 560 }, { x, y, a: 13, b: 2.6, turn, hu: 240 })
    }
    if (z > 0.3) list.push({ x: side * 112 * body, y: 96 * body, a: 40, b: 4.5, turn: side * -0.6, hu: 420 })
  }
  return list
}

/** Fills row by row: for each row the equation of the ellipse is quadratic in x, and its roots are the ends. */
function fill(field: Int16Array, size: number, { x, y, a, b, turn = 0, hu }: Ellipse): void {
  const unit = size / 512
  const middle = (size - 1) / 2
  const [centreX, centreY, halfA, halfB] = [middle + x * unit, middle + y * unit, a * unit, b * unit]
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)]
  const [invA, invB] = [1 / (halfA * halfA), 1 / (halfB * halfB)]
  const reach = Math.sqrt((halfA * sin) ** 2 + (halfB * cos) ** 2)
  const square = cos * cos * invA + sin * sin * invB
  const last = Math.min(size - 1, Math.floor(centreY + reach))
  for (let row = Math.max(0, Math.ceil(centreY - reach)); row <= last; row++) {
    const dy = row - centreY
    const linear = dy * cos * sin * (invA - invB)
    const root = linear * linear - square * (dy * dy * (sin * sin * invA + cos * cos * invB) - 1)
    if (root < 0) continue
    const half = Math.sqrt(root)
    const from = Math.max(0, Math.ceil(centreX + (-linear - half) / square))
    const to = Math.min(size - 1, Math.floor(centreX + (-linear + half) / square))
    if (from <= to) field.fill(hu, row * size + from, row * size + to + 1)
  }
}

/** Softens the edges as a scanner does, adds noise, and gives the stored values. */
function develop(field: Int16Array, size: number, noise: Int8Array, salt: number): Buffer {
  const bytes = Buffer.alloc(size * size * 2)
  const pixels = new Uint16Array(bytes.buffer, bytes.byteOffset, size * size)
  const shift = salt % (size * size)
  let state = (salt | 1) >>> 0
  for (let at = 0; at < field.length; at++) {
    // The typed arrays answer undefined outside their bounds; the rim of the field is air, as is what lies beyond.
    const here = field[at] ?? -1000
    const left = field[at - 1] ?? -1000
    const right = field[at + 1] ?? -1000
    const above = field[at - size] ?? -1000
    const below = field[at + size] ?? -1000
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const soft = (here * 4 + left + right + above + below) >> 3
    const stored = soft - rescaleIntercept + (noise[at + shift] ?? 0) + (state >>> 29) - 3
    pixels[at] = Math.max(0, Math.min(4095, stored))
  }
  if (endianness() === 'BE') bytes.swap16()
  return bytes
}

/** Near-Gaussian noise (a sum of four draws) of about 11 HU, twice as long as a slice so that each slice starts elsewhere. */
function noiseField(pixels: number, seed: number): Int8Array {
  const field = new Int8Array(pixels * 2)
  let state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0
  for (let at = 0; at < field.length; at++) {
    let sum = 0
    for (let draw = 0; draw < 4; draw++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      sum += state >>> 24
    }
    field[at] = Math.round((sum - 510) / 13)
  }
  return field
}
