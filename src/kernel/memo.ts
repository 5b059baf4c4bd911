/**
 * What a pure function made of short texts that come again and again: names of headers, hosts.
 *
 * The texts come from outside: the table has a size, and begins anew when it is full. What is longer is worked out each time.
 */

/**
 * @param make     gives the same for the same text, always, and nothing that anybody changes
 * @param longest  characters of a text that is kept
 */
export function memo<Made>(make: (text: string) => Made, longest: number, most = 1_000): (text: string) => Made {
  const made = new Map<string, Made>()
  return text => {
    const known = made.get(text)
    if (known !== undefined || made.has(text)) return known as Made // it holds what `make` gave, whatever that is
    const fresh = make(text)
    if (text.length > longest) return fresh
    if (made.size >= most) made.clear()
    made.set(text, fresh)
    return fresh
  }
}
