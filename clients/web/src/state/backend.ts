import type { Call, FromWorker, PipeEvent, ToWorker } from '../shared/messages'
import type { Scene, SceneValues } from '../shared/scene'

export class CallError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message)
  }
}

export interface PipeSink {
  event: (event: PipeEvent) => void
  /** `end` is the offset after the data. */
  data: (data: Uint8Array, end: number) => void
}

type Listener = (message: FromWorker) => void

/** The worker as the page sees it. */
export class Backend {
  private readonly worker: Worker
  private readonly calls = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >()
  private readonly pipes = new Map<string, PipeSink>()
  private readonly sceneListeners = new Set<(scene: Scene) => void>()
  private readonly valueListeners = new Set<(values: SceneValues) => void>()
  private lastCall = 0
  scene: Scene | undefined

  constructor(listener: Listener, org: string) {
    this.worker = new Worker(new URL('../worker/worker.ts', import.meta.url), {
      type: 'module',
      name: 'weft',
    })
    this.worker.onmessage = (event: MessageEvent<FromWorker>) => this.receive(event.data, listener)
    // The services live beside the page, whatever path it is served under.
    this.send({ type: 'init', base: new URL('.', window.location.href).href.replace(/\/$/, ''), org })
    document.addEventListener('visibilitychange', () => {
      this.send({ type: 'visible', visible: document.visibilityState === 'visible' })
    })
  }

  send(message: ToWorker): void {
    this.worker.postMessage(message)
  }

  call<T>(call: Call): Promise<T> {
    const id = ++this.lastCall
    return new Promise<T>((resolve, reject) => {
      this.calls.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.send({ type: 'call', id, call })
    })
  }

  openPipe(pipeId: string, from: number, known: boolean, sink: PipeSink): void {
    this.pipes.set(pipeId, sink)
    this.send({ type: 'pipeOpen', pipeId, from, known })
  }

  /** Stops listening; the process goes on. */
  releasePipe(pipeId: string): void {
    if (this.pipes.delete(pipeId)) this.send({ type: 'pipeRelease', pipeId })
  }

  /** Ends the process. */
  endPipe(pipeId: string): Promise<void> {
    this.pipes.delete(pipeId)
    return this.call({ method: 'endPipe', pipeId })
  }

  onScene(scene: (scene: Scene) => void, values: (values: SceneValues) => void): () => void {
    this.sceneListeners.add(scene)
    this.valueListeners.add(values)
    if (this.scene) scene(this.scene)
    return () => {
      this.sceneListeners.delete(scene)
      this.valueListeners.delete(values)
    }
  }

  private receive(message: FromWorker, listener: Listener): void {
    switch (message.type) {
      case 'scene':
        this.scene = message.scene
        for (const one of this.sceneListeners) one(message.scene)
        return
      case 'values':
        for (const one of this.valueListeners) one(message.values)
        return
      case 'reply': {
        const call = this.calls.get(message.id)
        this.calls.delete(message.id)
        if (message.ok) call?.resolve(message.value)
        else call?.reject(new CallError(message.error, message.code))
        return
      }
      case 'pipe':
        return this.pipes.get(message.pipeId)?.event(message.event)
      case 'pipeData':
        return this.pipes.get(message.pipeId)?.data(message.data, message.end)
      default:
        listener(message)
    }
  }
}
