/**
 * What an authority may find on the plain listener while it looks whether the names are ours.
 *
 * One for the whole gateway: tokens are random, so several orders at one time do not meet.
 *
 * Source: RFC 8555 8.3 (http-01).
 */
export interface Challenges {
  /** Done, or resolves, when it is known wherever the authority may ask. */
  set(token: string, keyAuthorization: string): Promise<void> | void
  delete(token: string): void
  /** The key authorization of a token that is being asked for just now. */
  answer(token: string): string | undefined
}

export function createChallenges(): Challenges {
  const open = new Map<string, string>()
  return {
    set: (token, keyAuthorization) => void open.set(token, keyAuthorization),
    delete: token => void open.delete(token),
    answer: token => open.get(token),
  }
}
