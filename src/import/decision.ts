/**
 * What an import has to say besides its draft: what a person must decide, what must change elsewhere, what became of the
 * rest. Types and wording only.
 *
 * Not to forget: a decision is printed, copied into tickets and stands in the draft as a comment, so it never holds a
 * password, a token or a header's value. Text that others wrote goes through `quoted`: it may hold control characters.
 */

/** In the order in which they are told. */
export const decisionKinds = ['problem', 'decide', 'change', 'note'] as const

/**
 * problem  the other program itself would refuse this, or cannot mean it; the draft leaves it out
 * decide   a person must say what is meant, or do something before the draft works
 * change   to be changed in the other program's own configuration
 * note     what became of it; nothing to do
 */
export type DecisionKind = (typeof decisionKinds)[number]

export interface Decision {
  readonly kind: DecisionKind
  /** As the other program calls it: `OrthancPeers.archive.Pkcs11`. Empty: the configuration as a whole. */
  readonly option: string
  readonly message: string
  /** Where it stands; absent where it stands nowhere. */
  readonly file?: string
  /** 1-based. */
  readonly line?: number
}

/** Where an option stands. */
export interface Place {
  readonly option: string
  readonly file?: string
  readonly line?: number
}

export type Tell = (kind: DecisionKind, place: Place, message: string) => void

/** Keeps all that it is told, each thing once; `inOrder` gives problems first, notes last. */
export function decisionList(): { readonly tell: Tell; inOrder(): Decision[] } {
  const told: Decision[] = []
  const known = new Set<string>()
  return {
    tell(kind, { option, file, line }, message) {
      const key = JSON.stringify([kind, option, message])
      if (known.has(key)) return
      known.add(key)
      const place = { ...(file === undefined ? {} : { file }), ...(line === undefined ? {} : { line }) }
      told.push({ kind, option, message, ...place })
    },
    inOrder: () => decisionKinds.flatMap(kind => told.filter(one => one.kind === kind)),
  }
}

/** What JSON leaves as it is, though a terminal does not show it, or in another order. */
export const writtenOut = (text: string): string =>
  text.replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** Text of others for a message: in quotes, control characters written out. */
export const quoted = (text: string): string =>
  writtenOut(JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text))

/** The name of an option or a variable for a message. */
export const shownName = (name: string): string => (/^[\w-]+$/.test(name) ? name : quoted(name))

/** Text of others that is shown as it is, the name of a file for one; in quotes where it is not only what it looks like. */
export const legible = (text: string): string =>
  /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/u.test(text) ? quoted(text) : text

/** What is said instead of a text that a variable has a part in. */
export const withheld = (variable: string): string =>
  `holds the environment variable ${shownName(variable)}, which may be a secret and is not repeated here`
