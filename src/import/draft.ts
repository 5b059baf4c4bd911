/**
 * Writes a draft configuration: YAML, each key with the reason why it is there.
 *
 * It only writes. Values of others are quoted as YAML needs it, control characters written out since drafts are read in a
 * terminal, and comments stay comments whatever stands in them.
 */
import { Document, isCollection, isMap, isPair, isScalar, type Node, Scalar } from 'yaml'

import { legible, writtenOut } from './decision.ts'

const remark = Symbol('remark')

interface Remarked {
  readonly [remark]: string
  readonly value: DraftValue
}

export type DraftValue = string | number | boolean | readonly DraftValue[] | Remarked | DraftMap
export interface DraftMap {
  /** Undefined: the key is left out. */
  readonly [key: string]: DraftValue | undefined
}

/** A value with a comment: beside it, or above its key where it is a list or a map. */
export const remarked = (value: DraftValue, text: string): DraftValue => ({ [remark]: text, value })

const isRemarked = (value: DraftValue): value is Remarked => typeof value === 'object' && remark in value

/** Nowhere else does YAML know escapes. */
function inDoubleQuotes(text: string): Scalar {
  const scalar = new Scalar(text)
  scalar.type = Scalar.QUOTE_DOUBLE
  return scalar
}

function plain(value: DraftValue): unknown {
  if (isRemarked(value)) return plain(value.value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'string' && legible(value) !== value) return inDoubleQuotes(value)
  if (typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === undefined ? [] : [[key, plain(inner)]])),
  )
}

const asComment = (text: string) => text.replace(/^(?!$)/gm, ' ')

/** Goes through the draft and the nodes that were made of it, side by side. */
function annotate(value: DraftValue, node: unknown): void {
  const inner = isRemarked(value) ? value.value : value
  if (Array.isArray(inner) && isCollection(node)) {
    for (const [index, item] of inner.entries()) annotate(item, node.items[index])
    node.flow = inner.every(item => typeof item !== 'object')
    return
  }
  if (!isMap(node) || typeof inner !== 'object' || Array.isArray(inner) || isRemarked(inner)) return
  for (const [key, held] of Object.entries(inner)) {
    const pair = node.items.find(item => isPair(item) && isScalar(item.key) && item.key.value === key)
    if (held === undefined || !pair || !isScalar(pair.key)) continue
    annotate(held, pair.value)
    if (!isRemarked(held)) continue
    if (isScalar(pair.value)) pair.value.comment = asComment(held[remark])
    else pair.key.commentBefore = asComment(held[remark])
  }
}

/** @param header  lines above it all */
export function writeDraft(draft: DraftMap, header: readonly string[]): string {
  const document = new Document(plain(draft))
  annotate(draft, document.contents)
  if (isMap(document.contents)) {
    for (const [index, { key }] of document.contents.items.entries()) {
      if (index > 0 && key instanceof Scalar) (key satisfies Node).spaceBefore = true
    }
  }
  document.commentBefore = header.map(asComment).join('\n')
  return writtenOut(document.toString({ lineWidth: 0, flowCollectionPadding: true, doubleQuotedAsJSON: true }))
}
