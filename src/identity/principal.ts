/**
 * Who it is, and by what it was proved.
 */

/** What was accepted on this request. Rules may ask for one of these by name. */
export type Proof =
  | { readonly kind: 'certificate'; readonly fingerprint: string }
  /** `standing`: what it rests on, as it was when the password was checked. Absent: nothing lasts by it. */
  | { readonly kind: 'password'; readonly standing?: string | undefined }
  /** `by`: what opened the session; `id` is a short public handle, never the cookie. */
  | { readonly kind: 'session'; readonly by: 'password'; readonly id: string }

export type ProofKind = Proof['kind']

export interface Principal {
  /** Never empty, no control characters; compared exactly. */
  readonly name: string
  /** The authority that vouches for the name. */
  /** `directory`, `local`, or the id of a certificate realm. */
  readonly realm: string
  readonly groups: ReadonlySet<string>
  readonly proof: Proof
}

const sets = new WeakMap<object, ReadonlySet<string>>()

/** The groups of an account as they stand beside its name: the same set for the same list, which is asked about with every request. */
export function groupSet<Group>(groups: readonly Group[], nameOf: (group: Group) => string): ReadonlySet<string> {
  const known = sets.get(groups)
  if (known !== undefined) return known
  const made = new Set(groups.map(nameOf))
  sets.set(groups, made)
  return made
}
