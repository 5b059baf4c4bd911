/**
 * That somebody has gone, told to whoever works for them: the part of AbortSignal that is used here, at a tenth of its price.
 *
 * Node's own is an EventTarget, and is made with every request. An AbortSignal can stand wherever a Signal is asked for;
 * the other way round there is `abortSignalOf`.
 */

export type SignalListener = (() => void) | { handleEvent(): void }

export interface Signal extends Pick<AbortSignal, 'aborted' | 'reason' | 'throwIfAborted'> {
  /** Told once. Whoever comes after it has happened is not told any more. */
  addEventListener(type: 'abort', listener: SignalListener, options?: { readonly once?: boolean }): void
  removeEventListener(type: 'abort', listener: SignalListener): void
}

export class Departure implements Signal {
  aborted = false
  reason: unknown
  /** Hardly ever more than one. */
  #listeners: readonly SignalListener[] = none

  /** Once more changes nothing. */
  abort(reason: unknown = new DOMException('This operation was aborted', 'AbortError')): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    for (const listener of this.#listeners) {
      // One of those before it may have taken it away.
      if (!this.#listeners.includes(listener)) continue
      if (typeof listener === 'function') listener()
      else listener.handleEvent()
    }
    this.#listeners = none
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  addEventListener(_type: 'abort', listener: SignalListener): void {
    if (!this.aborted) this.#listeners = this.#listeners === none ? [listener] : [...this.#listeners, listener]
  }

  removeEventListener(_type: 'abort', listener: SignalListener): void {
    const [first] = this.#listeners
    if (this.#listeners.length === 1 && first === listener) this.#listeners = none
    else this.#listeners = this.#listeners.filter(one => one !== listener)
  }
}

const none: readonly SignalListener[] = []

/** For Node's own calls. */
export function abortSignalOf(signal: Signal): AbortSignal {
  if (signal instanceof AbortSignal) return signal
  const controller = new AbortController()
  if (signal.aborted) controller.abort(signal.reason)
  else signal.addEventListener('abort', () => controller.abort(signal.reason))
  return controller.signal
}
