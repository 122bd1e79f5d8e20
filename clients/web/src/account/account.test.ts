import { describe, expect, it } from 'vitest'
import { auditCsv, matchesAudit } from './auditLog'
import { browserName } from './browserName'
import { probeCommands } from './snippet'

const event = {
  position: 7,
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
  actor: 'usr_1',
  action: 'token.revoke',
  target: 'tok_9',
  detail: 'probes',
  address: '192.0.2.1',
}

describe('the audit log', () => {
  it('is filtered by words, in any field', () => {
    for (const text of ['', 'revoke', 'TOK_9 usr_1', '2026-01-02 probes', '192.0.2', 'token revoked'])
      expect(matchesAudit(event, text), text).toBe(true)
    expect(matchesAudit(event, 'ada@ token', 'ada@amber.example')).toBe(true)
    for (const text of ['ada@', 'create', 'revoke usr_2']) expect(matchesAudit(event, text), text).toBe(false)
  })

  it('is exported so that no spreadsheet runs it', () => {
    expect(auditCsv([{ ...event, target: 'a,"b"', detail: '=1+2' }])).toBe(
      `position,at,action,actor,address,target,detail\r\n7,2026-01-02T03:04:05.000Z,token.revoke,usr_1,192.0.2.1,"a,""b""",'=1+2\r\n`,
    )
  })
})

describe('browsers', () => {
  it('are named in two words', () => {
    const chrome =
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36'
    expect(browserName(chrome)).toBe('Chrome on Linux')
    expect(browserName(`${chrome} Edg/156.0`)).toBe('Edge on Linux')
    expect(browserName('Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) Version/26 Safari/605')).toBe(
      'Safari on iOS',
    )
    expect(browserName('curl/8.5.0')).toBe('curl')
    expect(browserName('')).toBe('Unknown')
  })
})

describe('commands for a probe', () => {
  it('name the server, under any path', () => {
    const of = (origin: string, pathname: string) => probeCommands({ origin, pathname }).split('\n')[1]
    expect(of('https://weft.example', '/')).toMatch(/ https:\/\/weft\.example$/)
    expect(of('http://h:4040', '/tools/weft/')).toMatch(/ http:\/\/h:4040\/tools\/weft$/)
    expect(of('http://h:4040', '/weft/index.html')).toMatch(/ http:\/\/h:4040\/weft$/)
  })
})
