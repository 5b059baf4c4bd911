/**
 * The head of an answer: status line and headers. Source: RFC 9112 4.
 */
import { endOfPlain, MessageHead } from '../http1/message-head.ts'

const isDigit = (code: number) => code >= 48 && code <= 57
const [blank, cr, lf] = [32, 13, 10]

export class ResponseHead extends MessageHead {
  status = 0

  protected override oddStart(text: string): string | undefined {
    return 'HTTP/1.'.startsWith(text.slice(0, 7)) ? undefined : 'no status line'
  }

  protected override readStart(text: string): number | string {
    const minor = text[7]
    if (!text.startsWith('HTTP/1.') || (minor !== '0' && minor !== '1') || text[8] !== ' ') return 'no status line'
    const [first, second, third] = [text.charCodeAt(9), text.charCodeAt(10), text.charCodeAt(11)]
    if (!isDigit(first) || !isDigit(second) || !isDigit(third)) return 'no status'
    this.isOld = minor === '0'
    const at = text.charCodeAt(12) === blank ? endOfPlain(text, 12) : 12
    if (text.charCodeAt(at) !== cr || text.charCodeAt(at + 1) !== lf) return 'an odd status line'
    this.status = (first - 48) * 100 + (second - 48) * 10 + third - 48
    return this.status < 100 ? 'a status below 100' : at + 2
  }
}
