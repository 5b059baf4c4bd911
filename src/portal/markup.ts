/**
 * HTML as a value: text is escaped wherever it is put, and only what this tag made is taken as it stands.
 *
 * Not to forget: it knows no JavaScript and no CSS, so nothing from outside may be put into a script, a style, or an
 * attribute without quotation marks. Our pages have none of these.
 */

export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Undefined and false leave nothing behind, so that `condition && html...` reads well. */
export type Piece = Html | string | number | undefined | false | readonly Piece[]

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

const escaped = (text: string): string => text.replace(/[&<>"'`]/g, char => entities[char] ?? '')

function written(piece: Piece): string {
  if (piece === undefined || piece === false) return ''
  if (piece instanceof Html) return piece.text
  if (typeof piece === 'string' || typeof piece === 'number') return escaped(String(piece))
  return piece.map(written).join('')
}

export const html = (parts: TemplateStringsArray, ...pieces: readonly Piece[]): Html =>
  new Html(parts.map((part, at) => part + written(pieces[at])).join(''))
