import type { Client } from '@connectrpc/connect'
import type { QueryService } from '../gen/weft/query/v1/query_pb'
import type { FromWorker } from '../shared/messages'
import type { ScopeInit } from './stream'

const TYPING_MS = 350
/** Data change all the time; a count is only a hint. */
const AGAIN_MS = 5_000

/** How many nodes match the search in each topology, at the moment that is shown. */
export class Counts {
  private text = ''
  private timer: ReturnType<typeof setTimeout> | undefined
  private asked = 0
  private lastAsk = 0

  constructor(
    private readonly client: Pick<Client<typeof QueryService>, 'search'>,
    private readonly selection: () => ScopeInit['selection'],
    private readonly post: (message: FromWorker) => void,
  ) {}

  setText(text: string): void {
    if (text === this.text) return
    this.text = text
    this.changed()
  }

  /** The text, a filter or the moment. */
  changed(): void {
    clearTimeout(this.timer)
    this.asked++
    if (this.text === '') this.post({ type: 'hits', query: '', hits: {} })
    else this.timer = setTimeout(() => void this.ask(), TYPING_MS)
  }

  dataChanged(): void {
    if (this.text !== '' && Date.now() - this.lastAsk > AGAIN_MS) this.changed()
  }

  private async ask(): Promise<void> {
    const { text } = this
    const number = this.asked
    this.lastAsk = Date.now()
    let hits: Record<string, number> = {}
    try {
      const answer = await this.client.search({ query: text, selection: this.selection(), limit: 1 })
      hits = Object.fromEntries(answer.topologies.map((one) => [one.topologyId, one.total]))
    } catch {
      // The live search still works.
    }
    if (number === this.asked) this.post({ type: 'hits', query: text, hits })
  }
}
