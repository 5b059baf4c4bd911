/**
 * A look that is taken again and again, and keeps no program from ending.
 */

/** @param milliseconds  between two looks; the first comes after one span */
export function every(milliseconds: number, look: () => void): Disposable {
  const timer = setInterval(look, milliseconds).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
