import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef } from 'react'
import type { Cell, Column, TableRow } from '../shared/messages'
import { app, backend, navigate, openNode } from '../state/app'
import { useStore } from '../state/store'
import { Icon } from './icons'
import { NodeIcon } from './NodeIcon'
import css from './TableView.module.css'

const ROW = 34
const OVERSCAN = 24

function Head({ columns, sort, descending }: { columns: Column[]; sort: string; descending: boolean }) {
  return (
    <div role="rowgroup" className={css.head}>
      <div role="row" aria-rowindex={1} className={css.row}>
        {columns.map((column) => {
          const sorted = column.key === sort
          return (
            <div
              key={column.key}
              role="columnheader"
              aria-sort={sorted ? (descending ? 'descending' : 'ascending') : 'none'}
              className={column.key === 'name' ? css.nameHead : undefined}
              style={{ width: column.width }}
              data-numeric={column.numeric || undefined}
            >
              <button
                type="button"
                onClick={() =>
                  navigate({ sort: column.key, descending: sorted ? !descending : column.numeric }, 'replace')
                }
              >
                <span>{column.label}</span>
                {sorted && <Icon name={descending ? 'down' : 'up'} size={11} />}
              </button>
            </div>
          )
        })}
      </div>
    </div>
  )
}

function Value({ cell, column, row }: { cell: Cell; column: Column; row: TableRow }) {
  if (column.key === 'name') {
    return (
      <div
        role="rowheader"
        className={css.name}
        style={{ width: column.width }}
        title={[cell.text, cell.title].filter(Boolean).join('\n')}
      >
        <NodeIcon shape={row.shape} hue={row.hue} size={17} stale={row.stale} />
        <button type="button" onClick={() => openNode(row.id)} tabIndex={-1}>
          {cell.text}
        </button>
        {row.stale && <em>stale</em>}
        {cell.title && <small>{cell.title}</small>}
      </div>
    )
  }
  return (
    <div
      role="cell"
      style={{ width: column.width }}
      data-numeric={column.numeric || undefined}
      title={cell.title ?? cell.text}
    >
      {cell.bar !== undefined && (
        <span className={css.bar} aria-hidden="true">
          <i style={{ width: `${Math.round(cell.bar * 100)}%` }} />
        </span>
      )}
      <span className={css.text}>{cell.text}</span>
    </div>
  )
}

export function TableView({ inset }: { inset: number }) {
  const scroller = useRef<HTMLDivElement>(null)
  const data = useStore(app, (state) => state.table)
  const topologyId = useStore(app, (state) => state.address.topologyId)
  const sort = useStore(app, (state) => state.address.sort)
  const descending = useStore(app, (state) => state.address.descending)
  const selected = useStore(app, (state) => {
    const front = state.address.cards[state.address.cards.length - 1]
    return front?.topologyId === state.address.topologyId ? front.nodeId : ''
  })
  const window = data?.topologyId === topologyId ? data : null
  const total = window?.total ?? 0
  const virtual = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: OVERSCAN,
    scrollPaddingStart: ROW + 4,
  })
  const items = virtual.getVirtualItems()
  const from = items[0]?.index ?? 0
  const to = (items[items.length - 1]?.index ?? 80) + 1

  useEffect(() => {
    backend.send({ type: 'table', spec: { sort, descending, from, to } })
  }, [sort, descending, from, to])
  useEffect(() => () => backend.send({ type: 'table', spec: null }), [])

  const columns = window?.columns ?? []
  const width = columns.reduce((sum, column) => sum + column.width, 0)
  const focusRow = (index: number) => {
    if (index < 0 || index >= total) return
    virtual.scrollToIndex(index)
    // The row may have to be fetched before it can take the focus.
    const take = (tries: number) => {
      const row = scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)
      if (row) row.focus()
      else if (tries > 0) setTimeout(() => take(tries - 1), 30)
    }
    take(10)
  }

  return (
    <div
      ref={scroller}
      className={css.scroller}
      style={{ right: inset }}
      role="table"
      aria-label="Nodes"
      aria-rowcount={total + 1}
      aria-colcount={columns.length}
      data-testid="table"
    >
      <div style={{ width, minWidth: '100%' }}>
        <Head columns={columns} sort={window?.sort ?? ''} descending={window?.descending ?? false} />
        <div role="rowgroup" className={css.body} style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = window?.rows[item.index - window.from]
            return (
              <div
                key={row?.id ?? item.index}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={row !== undefined && row.id === selected}
                className={css.row}
                data-testid="row"
                data-index={item.index}
                data-id={row?.id}
                data-dim={(row && !row.match) || undefined}
                tabIndex={item.index === from ? 0 : -1}
                style={{ transform: `translateY(${item.start}px)` }}
                onClick={() => {
                  // Marking text to copy it is no click.
                  if (row && (document.getSelection()?.isCollapsed ?? true)) openNode(row.id)
                }}
                onKeyDown={(event) => {
                  if (event.key === 'Enter' && row) openNode(row.id)
                  else if (event.key === 'ArrowDown') focusRow(item.index + 1)
                  else if (event.key === 'ArrowUp') focusRow(item.index - 1)
                  else if (event.key === 'Home') focusRow(0)
                  else if (event.key === 'End') focusRow(total - 1)
                  else return
                  event.preventDefault()
                }}
              >
                {row &&
                  columns.map((column, i) => (
                    <Value key={column.key} cell={row.cells[i]} column={column} row={row} />
                  ))}
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}
