/**
 * The id of an exchange: a random UUID (RFC 9562 5.4), as one text.
 *
 * `randomUUID` gives a text that is put together from twenty pieces each time it is first looked at.
 */
import { randomFillSync } from 'node:crypto'

const [bytes, ids] = [16, 256]
const digits = Buffer.from('0123456789abcdef')
/** Of 256 ids, taken one after the other; each is used once. */
const random = Buffer.allocUnsafeSlow(bytes * ids)
const text = Buffer.from('xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx')
/** Where in the text each byte stands. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]
let next = ids

export function exchangeId(): string {
  if (next === ids) {
    randomFillSync(random)
    next = 0
  }
  const from = next++ * bytes
  for (let at = 0; at < bytes; at++) {
    let byte = random[from + at] ?? 0
    if (at === 6) byte = (byte & 0x0f) | 0x40
    if (at === 8) byte = (byte & 0x3f) | 0x80
    const place = places[at] ?? 0
    text[place] = digits[byte >> 4] ?? 0
    text[place + 1] = digits[byte & 15] ?? 0
  }
  return text.toString('latin1')
}
