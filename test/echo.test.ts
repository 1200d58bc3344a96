import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { secretsOf, withholdEcho } from '../src/echo.ts'
import type { Failure } from '../src/protocol/failure.ts'
import { HandshakeError } from '../src/state/errors.ts'
import { lawful, ScriptedServer } from './support/scripted-server.ts'
import { worldOf } from './support/world.ts'

const refusal = (message: string): Failure => ({
  kind: 'refused',
  severity: 'FATAL',
  sqlstate: '28P01',
  message,
  fields: new Map([
    ['message', message],
    ['detail', `${message} and ${message}`],
  ]),
})

describe('what we said in secret', () => {
  it('is the password, the MD5 answer, and the proof of SCRAM', () => {
    expect(secretsOf({ type: 'PasswordMessage', password: 'correct horse' })).toEqual(['correct horse'])
    // RFC 7677 section 3, the client's last message.
    const data = Buffer.from('c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=')
    expect(secretsOf({ type: 'SASLResponse', data })).toEqual(['dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='])
    expect(secretsOf({ type: 'SASLResponse', data: Buffer.from('c=biws') })).toEqual([])
    expect(secretsOf({ type: 'Terminate' })).toEqual([])
  })

  it('is withheld wherever it comes back', () => {
    const failure = withholdEcho(refusal('no, correct horse!'), ['correct horse'], ['alice'])
    expect(inspect(failure)).not.toContain('correct horse')
    expect(failure).toMatchObject({ message: 'no, (withheld: what proves who we are)!', sqlstate: '28P01' })
  })

  it('is left where it is no secret, or would be found in ordinary words', () => {
    expect(withholdEcho(refusal('user "postgres"'), ['postgres'], ['postgres'])).toEqual(refusal('user "postgres"'))
    expect(withholdEcho(refusal('password'), ['word'], [])).toEqual(refusal('password'))
  })

  it('is not looked for in failures that are our own words', () => {
    const failure: Failure = { kind: 'unproven', what: 'correct horse' }
    expect(withholdEcho(failure, ['correct horse'], [])).toBe(failure)
  })
})

describe('a server that says back what it was told', () => {
  it.each(['password', 'md5', 'scram-sha-256'] as const)('does not get it into an error (%s)', async (method) => {
    const honest = lawful({ method, password: 'secret' })
    let told = ''
    const server = new ScriptedServer((self, message) => {
      if (message.type === 'PasswordMessage') told = message.password
      else if (message.type === 'SASLResponse') told = String(Buffer.from(message.data).toString().split(',p=')[1])
      else return honest.answer(self, message)
      self.send({ type: 'ErrorResponse', fields: [{ code: 'M', value: `I heard ${told}` }] })
    })
    const error = await worldOf(server)
      .connect()
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(HandshakeError)
    expect(told.length).toBeGreaterThan(5)
    expect((error as HandshakeError).message).toContain('I heard (withheld')
    expect(inspect(error, { depth: 10 })).not.toContain(told)
  })
})
