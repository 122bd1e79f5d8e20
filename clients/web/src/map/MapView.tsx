import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { app, backend, closeCards, openNode } from '../state/app'
import { pinNode, tidy } from '../state/pins'
import { useStore } from '../state/store'
import { theme } from '../state/theme'
import { Icon, type IconName } from '../ui/icons'
import { Tip } from '../ui/Tip'
import type { Insets } from './camera'
import { MapController } from './controller'
import { describeNode } from './describe'
import { type Hover, HoverCard } from './HoverCard'
import { handleMapKey } from './keys'
import css from './MapView.module.css'
import { readPalette } from './palette'

declare global {
  interface Window {
    /** For tests and measurements. */
    weftMap?: MapController
  }
}

function Tools({ controller }: { controller: MapController | null }) {
  const tool = (name: IconName, label: string, act: () => void) => (
    <Tip text={label} side="right">
      <button type="button" aria-label={label} onClick={act}>
        <Icon name={name} size={15} />
      </button>
    </Tip>
  )
  return (
    <div className={css.tools} role="toolbar" aria-label="Map tools" aria-orientation="vertical">
      {tool('plus', 'Zoom in', () => controller?.zoom(1.4))}
      {tool('minus', 'Zoom out', () => controller?.zoom(1 / 1.4))}
      {tool('fit', 'Fit everything', () => controller?.fitAll())}
      {tool('tidy', 'Tidy up', tidy)}
    </div>
  )
}

export function MapView({ insets }: { insets: Insets }) {
  const root = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const [controller, setController] = useState<MapController | null>(null)
  const [hover, setHover] = useState<Hover | null>(null)
  const [description, setDescription] = useState('')
  const dark = useStore(theme, (state) => state.dark)
  const front = useStore(app, (state) => state.address.cards[state.address.cards.length - 1])
  const topologyId = useStore(app, (state) => state.address.topologyId)
  const cursor = useStore(app, (state) => state.cursor)
  const filled = useStore(app, (state) => (state.summary?.nodes ?? 0) > 0)

  useEffect(() => {
    const box = root.current
    if (!box || !canvas.current) return
    const made = new MapController(canvas.current, readPalette(document.documentElement), {
      open: (id) => {
        app.set({ cursor: '' })
        openNode(id)
      },
      background: closeCards,
      pin: pinNode,
      hover: (next) => setHover(next.node < 0 && next.group < 0 ? null : next),
    })
    const observer = new ResizeObserver(() => made.resize(box.clientWidth, box.clientHeight))
    observer.observe(box)
    const unsubscribe = backend.onScene(
      (scene) => made.setScene(scene),
      (values) => made.setValues(values),
    )
    // Labels drawn before the font is there would keep the wrong one.
    void document.fonts?.ready.then(() => made.request())
    window.weftMap = made
    setController(made)
    return () => {
      observer.disconnect()
      unsubscribe()
      made.destroy()
      window.weftMap = undefined
    }
  }, [])

  useEffect(() => {
    // The theme's attribute is set by now, so the new colours can be read.
    if (controller) controller.setPalette(readPalette(document.documentElement))
    void dark
  }, [controller, dark])

  useEffect(() => {
    if (!controller) return
    controller.insets = insets
    const here = front?.topologyId === topologyId ? front.nodeId : ''
    controller.select(here)
    // A card that opened must not cover its node.
    if (here !== '') controller.show(controller.emphasis.selected)
  }, [controller, front, topologyId, insets])

  useEffect(() => {
    if (!controller) return
    controller.setCursor(cursor)
    const { scene } = controller
    if (cursor !== '' && scene) {
      controller.show(controller.emphasis.cursor)
      setDescription(describeNode(scene, controller.emphasis.cursor))
    } else setDescription('')
  }, [controller, cursor])

  const onKeyDown = (event: KeyboardEvent) => {
    if (controller && handleMapKey(event, controller)) {
      event.preventDefault()
      event.stopPropagation()
    }
  }

  return (
    <div ref={root} className={css.map}>
      <div
        className={css.application}
        role="application"
        aria-roledescription="topology map"
        aria-label="Topology map"
        aria-activedescendant={description === '' ? undefined : 'map-node'}
        data-testid="map"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the map is one focusable application
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} className={css.canvas} />
        <div
          id="map-node"
          role="img"
          className="hidden-visually"
          aria-label={description || 'No node chosen; use the arrow keys'}
        />
      </div>
      {hover && controller?.scene && <HoverCard hover={hover} scene={controller.scene} room={insets.right} />}
      {filled && <Tools controller={controller} />}
    </div>
  )
}
