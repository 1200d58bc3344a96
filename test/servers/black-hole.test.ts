/** Whoever dials a black hole waits, and nothing of it stays. */
import { expect, it } from 'vitest'
import { connect } from '../../src/index.ts'
import { expectNoMoreThan, openResources } from '../net/resources.ts'
import { BlackHole } from './black-hole.ts'

it('a connect is neither refused nor completed', async () => {
  const before = openResources()
  {
    await using hole = await BlackHole.open()
    const url = `postgres://app@${hole.host}:${hole.port}/app?sslmode=disable`
    const expected = { phase: 'Dialing', failure: { kind: 'deadline', timeoutMs: 100 } }
    for (let count = 0; count < 5; count += 1) {
      await expect(connect(url, { timeoutMs: 100 })).rejects.toMatchObject(expected)
    }
  }
  await expectNoMoreThan(before)
})
