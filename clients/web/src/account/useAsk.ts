import { useCallback, useEffect, useState } from 'react'
import type { AccountCalls, AccountMethod } from '../shared/accounts'
import { ask, explainAccount } from '../state/accounts'

export interface Asked<T> {
  /** Null until the first answer. */
  data: T | null
  error: string
  reload: () => void
}

const NOTHING = {}

/** An answer that is there as long as the component is; asked again by `reload`. Not asked at all without `wanted`. */
export function useAsk<M extends AccountMethod>(what: M, wanted = true): Asked<AccountCalls[M]['answer']> {
  const [data, setData] = useState<AccountCalls[M]['answer'] | null>(null)
  const [error, setError] = useState('')
  const [count, setCount] = useState(0)
  useEffect(() => {
    void count
    if (!wanted) return
    let current = true
    ask(what, NOTHING as AccountCalls[M]['ask']).then(
      (answer) => {
        if (!current) return
        setData(answer)
        setError('')
      },
      (problem) => current && setError(explainAccount(problem)),
    )
    return () => {
      current = false
    }
  }, [what, wanted, count])
  return { data, error, reload: useCallback(() => setCount((old) => old + 1), []) }
}

export interface Doing {
  busy: boolean
  error: string
  /** True if it went well. */
  run: (work: () => Promise<unknown>) => Promise<boolean>
}

/** One thing at a time that a person does, and what went wrong with it. */
export function useDoing(): Doing {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const run = useCallback(async (work: () => Promise<unknown>) => {
    setBusy(true)
    setError('')
    try {
      await work()
      return true
    } catch (problem) {
      setError(explainAccount(problem))
      return false
    } finally {
      setBusy(false)
    }
  }, [])
  return { busy, error, run }
}
