/** What of a message may be shown: by a list, so that a new message shows nothing until somebody has decided. */
import { describe, expect, it } from 'vitest'
import type { Spoken } from '../src/observation.ts'
import { Redactor } from '../src/redact.ts'
import { ALL_MESSAGES, examplesOf } from './protocol/examples.ts'

type Message = Exclude<Spoken['message'], null>

const view = (message: Message) => new Redactor().view(message)

describe('a view', () => {
  it.each<[Message, object]>([
    [{ type: 'CancelRequest', processId: 7, secretKey: Buffer.from('a key') }, { processId: 7 }],
    [{ type: 'BackendKeyData', processId: 7, secretKey: Buffer.from('a key') }, { processId: 7 }],
    [{ type: 'PasswordMessage', password: 'secret' }, {}],
    [{ type: 'SASLInitialResponse', mechanism: 'SCRAM-SHA-256', data: null }, { mechanism: 'SCRAM-SHA-256' }],
    [{ type: 'SASLResponse', data: Buffer.from('c=biws,r=abc,p=def') }, {}],
    [{ type: 'Query', query: "alter role app password 'secret'" }, {}],
    [{ type: 'AuthenticationMD5Password', salt: Buffer.from('salt') }, {}],
    [{ type: 'AuthenticationSASL', mechanisms: ['A\u001b[2J', 'B'] }, { mechanisms: ['A\ufffd[2J', 'B'] }],
    [{ type: 'AuthenticationSASLContinue', data: Buffer.from('r=abc,s=c2FsdA==,i=4096') }, { iterations: 4096 }],
    [{ type: 'AuthenticationSASLContinue', data: Buffer.from('nothing of the kind') }, {}],
    [{ type: 'AuthenticationSASLFinal', data: Buffer.from('v=abc') }, {}],
    [
      { type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0002, unrecognizedOptions: ['_pq_.x'] },
      { newestVersion: '3.2', unrecognizedOptions: ['_pq_.x'] },
    ],
    [
      { type: 'ParameterStatus', name: 'a', value: '\u0007' },
      { name: 'a', value: '\ufffd' },
    ],
    [{ type: 'ReadyForQuery', status: 'T' }, { status: 'T' }],
    [
      {
        type: 'NoticeResponse',
        fields: [
          { code: 'V', value: 'WARNING' },
          { code: 'C', value: '01000' },
          { code: 'M', value: 'look out' },
          { code: 'D', value: 'a detail' },
        ],
      },
      { severity: 'WARNING', sqlstate: '01000', message: 'look out' },
    ],
    [
      { type: 'NotificationResponse', processId: 7, channel: 'c', payload: 'p' },
      { processId: 7, channel: 'c' },
    ],
    [{ type: 'CommandComplete', commandTag: 'SELECT 1' }, { commandTag: 'SELECT 1' }],
    [{ type: 'DataRow', values: [Buffer.from('a value')] }, {}],
    [{ type: 'RowDescription', columns: [] }, { columns: 0 }],
  ])('of %o', (message, expected) => {
    expect(view(message)).toEqual(expected)
  })

  it('of a StartupMessage has the names of its parameters, and the values of two', () => {
    const parameters = [
      { name: 'user', value: 'alice' },
      { name: 'database', value: 'app' },
      { name: 'options', value: '-c my.token=secret' },
    ]
    expect(view({ type: 'StartupMessage', protocolVersion: 0x0003_0002, parameters })).toEqual({
      protocolVersion: '3.2',
      user: 'alice',
      database: 'app',
      parameters: ['user', 'database', 'options'],
    })
    expect(view({ type: 'StartupMessage', protocolVersion: 0x0003_0000, parameters: [] })).toMatchObject({ user: '' })
  })

  it('is there for every message that there is', () => {
    const views = ALL_MESSAGES.flatMap((layout) => examplesOf(layout)).map(({ value }) => view(value as Message))
    expect(views.filter((one) => typeof one !== 'object')).toEqual([])
  })

  it('of what cannot be read is empty', () => {
    expect(new Redactor().view(null)).toEqual({})
  })
})

describe('what was said in secret', () => {
  const status = (value: string): Message => ({ type: 'ParameterStatus', name: 'x', value })

  it('is withheld when it is said back: a password, a proof, a nonce', () => {
    const redactor = new Redactor()
    redactor.view({ type: 'PasswordMessage', password: 'correct-horse' })
    redactor.view({ type: 'SASLInitialResponse', mechanism: 'SCRAM-SHA-256', data: Buffer.from('n,,n=,r=first-nonce') })
    redactor.view({ type: 'SASLResponse', data: Buffer.from('c=biws,r=first-nonce+second,p=the-proof=') })
    expect(redactor.view(status('correct-horse|first-nonce|the-proof=|+second'))).toEqual({
      name: 'x',
      value: expect.stringMatching(/^(\(withheld: [^)]*\)\|){3}\+second$/),
    })
  })

  it('is not withheld where it is no secret: the name of the user', () => {
    const redactor = new Redactor()
    redactor.view({
      type: 'StartupMessage',
      protocolVersion: 196_608,
      parameters: [{ name: 'user', value: 'application' }],
    })
    redactor.view({ type: 'PasswordMessage', password: 'application' })
    expect(redactor.view(status('application'))).toEqual({ name: 'x', value: 'application' })
  })
})
