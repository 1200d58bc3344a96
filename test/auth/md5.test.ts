import { describe, expect, it } from 'vitest'
import { answerMd5 } from '../../src/auth/md5.ts'
import { Secret } from '../../src/auth/secret.ts'

const SALT = Buffer.from([0x01, 0x02, 0x03, 0x04])

describe('AuthenticationMD5Password', () => {
  // printf %s secretalice | md5sum                                            (password, then user)
  // { printf %s 4a0a68b43b6cd5cf266fa02f196e2371; printf '\001\002\003\004'; } | md5sum
  it('is answered with md5 over the stored hash and the salt', () => {
    expect(answerMd5('alice', new Secret('secret'), SALT)).toBe('md598a0412b9c31436fc53776e863350083')
  })

  it('is answered over UTF-8, without SASLprep', () => {
    // U+00AA is c2 aa, and stays so; SASLprep would make it a plain a.
    expect(answerMd5('zo\u00eb', new Secret('\u00aa'), SALT)).toBe('md550ebc13c5633b647ad393c45ccd95c6a')
  })

  it('is answered differently for another salt', () => {
    const other = Buffer.from([0x01, 0x02, 0x03, 0x05])
    expect(answerMd5('alice', new Secret('secret'), other)).not.toBe(answerMd5('alice', new Secret('secret'), SALT))
  })

  it('is answered with bytes of the salt that are no text', () => {
    // printf '\377\000\200\376' stands for the salt.
    expect(answerMd5('alice', new Secret('secret'), Buffer.from([0xff, 0x00, 0x80, 0xfe]))).toBe(
      'md506a6b183ec19b0349778913e89d8f1c2',
    )
  })
})
