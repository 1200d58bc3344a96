import { describe, expect, it } from 'vitest'
import { createKnownServers } from '../src/known-servers.ts'

describe('what is known of servers', () => {
  it('is what was met last, and nothing of a server that was not met', () => {
    const known = createKnownServers()
    expect(known.recall('one')).toBeNull()
    known.remember('one', 'SCRAM-SHA-256')
    known.remember('two', 'SCRAM-SHA-256-PLUS')
    known.remember('one', 'waits')
    expect([known.recall('one'), known.recall('two'), known.recall('three')]).toEqual([
      'waits',
      'SCRAM-SHA-256-PLUS',
      null,
    ])
  })

  it('can be forgotten', () => {
    const known = createKnownServers()
    known.remember('one', 'SCRAM-SHA-256')
    known.remember('one', null)
    known.remember('two', null)
    expect([known.recall('one'), known.recall('two')]).toEqual([null, null])
  })

  it('is bounded: the one that was not met for longest is forgotten', () => {
    const known = createKnownServers(2)
    for (const server of ['one', 'two', 'one', 'three']) known.remember(server, 'SCRAM-SHA-256')
    expect(['one', 'two', 'three'].map((server) => known.recall(server))).toEqual([
      'SCRAM-SHA-256',
      null,
      'SCRAM-SHA-256',
    ])
  })

  it('is bounded by default', () => {
    const known = createKnownServers()
    for (let index = 0; index < 257; index += 1) known.remember(`server ${index}`, 'SCRAM-SHA-256')
    expect([known.recall('server 0'), known.recall('server 1')]).toEqual([null, 'SCRAM-SHA-256'])
  })
})
