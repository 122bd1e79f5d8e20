/** Keeps the newest of what is put in. */
class Kept<T> {
  private readonly values = new Map<string, T>()

  constructor(private readonly most: number) {}

  put(key: string, value: T): void {
    this.values.delete(key)
    this.values.set(key, value)
    if (this.values.size <= this.most) return
    const oldest = this.values.keys().next().value
    if (oldest !== undefined) this.values.delete(oldest)
  }

  take(key: string): T | undefined {
    const value = this.values.get(key)
    this.values.delete(key)
    return value
  }

  clear(): void {
    this.values.clear()
  }
}

/**
 * Where things stood that are not there now. What comes back, by itself or because the user goes through time, finds its
 * place again if nobody else has taken it.
 */
export class Memory<Cell, Box> {
  readonly cells = new Kept<Cell>(20_000)
  readonly boxes = new Kept<Box>(1_000)
}
