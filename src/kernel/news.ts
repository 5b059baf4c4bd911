/**
 * What one of several processes has done, and the others must know at once.
 */
export interface News {
  /** Resolves when all of them have heard it; one that stands still is not waited for. Never rejects. */
  tell(topic: string, text: string): Promise<void>
  hear(topic: string, listener: (text: string) => void): Disposable
}
