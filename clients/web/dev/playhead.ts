import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { WatchScope } from '../src/gen/weft/query/v1/query_pb'

/** Which moment a scope shows: it moves as fast as the scope asks for, until it is the present. */
export class Playhead {
  private readonly from: number | null
  private readonly speed: number
  private readonly started = Date.now()
  private arrived = false

  constructor(scope: WatchScope | undefined) {
    const at = scope?.selection?.at
    this.from = at ? timestampMs(at) : null
    this.speed = scope?.speed ?? 0
  }

  /** A past moment, or null for the present. */
  past(): number | null {
    if (this.from === null || this.arrived) return null
    const now = Date.now()
    const at = this.from + (now - this.started) * this.speed
    if (this.speed > 0 && at >= now) this.arrived = true
    return at >= now ? null : at
  }
}
