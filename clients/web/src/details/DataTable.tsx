import { useState } from 'react'
import type { ColumnView, RowView, TableView } from '../shared/details'
import { compareKeys, formatCount } from '../shared/format'
import { Icon } from '../ui/icons'
import card from './Card.module.css'
import css from './DataTable.module.css'

const SHOWN = 5
/** Enough to see, few enough to lay out at once. */
const STEP = 100

function isNumeric(column: ColumnView): boolean {
  return column.dataType === 'number' || column.dataType === 'duration' || column.dataType === 'datetime'
}

function sorted(table: TableView, key: string, descending: boolean): RowView[] {
  const sign = descending ? -1 : 1
  const keyOf = (row: RowView) => (key === '' ? row.label.toLowerCase() : row.values[key]?.sort)
  return [...table.rows].sort((a, b) => {
    const x = keyOf(a)
    const y = keyOf(b)
    if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? 1 : -1
    return compareKeys(x, y) * sign || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0)
  })
}

function Properties({ table, rows }: { table: TableView; rows: RowView[] }) {
  return (
    <dl className={css.properties} aria-label={table.label}>
      {rows.map((row) => (
        <div key={row.id}>
          <dt title={row.label}>{row.label}</dt>
          <dd>{row.values.value?.text ?? ''}</dd>
        </div>
      ))}
    </dl>
  )
}

interface Props {
  table: TableView
  tone?: 'incoming' | 'outgoing'
  open?: (nodeId: string) => void
}

export function DataTable({ table, tone, open }: Props) {
  const initial = table.columns.find((column) => column.defaultSort)
  const [sort, setSort] = useState({
    key: initial?.id ?? '',
    descending: initial ? isNumeric(initial) : false,
  })
  const [limit, setLimit] = useState(SHOWN)
  const all = table.kind === 'properties' ? table.rows : sorted(table, sort.key, sort.descending)
  // One more row takes no more room than the words that offer it.
  const rows = all.slice(0, all.length === limit + 1 ? limit + 1 : limit)
  const named = table.kind === 'table' && table.rows.some((row) => row.nodeId !== '' || row.label !== '')
  const sortBy = (key: string, numeric: boolean) =>
    setSort((old) => ({ key, descending: old.key === key ? !old.descending : numeric }))
  const head = (key: string, label: string, numeric: boolean) => (
    <th
      key={key}
      aria-sort={sort.key === key ? (sort.descending ? 'descending' : 'ascending') : 'none'}
      data-numeric={numeric || undefined}
    >
      <button type="button" onClick={() => sortBy(key, numeric)}>
        {label}
        {sort.key === key && <Icon name={sort.descending ? 'down' : 'up'} size={9} />}
      </button>
    </th>
  )
  return (
    <section className={card.section} aria-label={table.label}>
      <h3 data-tone={tone} className={css.heading}>
        {table.label} <b>{formatCount(table.rows.length)}</b>
        {table.truncated > 0 && (
          <span className={css.truncated} title={`${table.truncated} entries were left out by the probe`}>
            <Icon name="warning" size={11} />
            {formatCount(table.truncated)} left out
          </span>
        )}
      </h3>
      {table.kind === 'properties' ? (
        <Properties table={table} rows={rows} />
      ) : (
        <table className={css.table}>
          <thead>
            <tr>
              {named && head('', 'Name', false)}
              {table.columns.map((column) => head(column.id, column.label || column.id, isNumeric(column)))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id}>
                {named && (
                  <td className={css.name}>
                    {open && row.nodeId !== '' ? (
                      <button
                        type="button"
                        title={row.labelMinor || row.label}
                        onClick={() => open(row.nodeId)}
                      >
                        {row.label || row.nodeId}
                      </button>
                    ) : (
                      <span title={row.labelMinor || row.label}>{row.label}</span>
                    )}
                    {row.labelMinor !== '' && <small>{row.labelMinor}</small>}
                  </td>
                )}
                {table.columns.map((column) => (
                  <td key={column.id} data-numeric={isNumeric(column) || undefined}>
                    {row.values[column.id]?.text ?? ''}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {all.length > rows.length && (
        <button
          type="button"
          className={card.more}
          onClick={() => setLimit((old) => (old === SHOWN ? STEP : old + STEP))}
        >
          {formatCount(all.length - rows.length)} more
        </button>
      )}
    </section>
  )
}
