// A web3 secret storage file (version 3), written from its specification, as geth and cast write them.
import { createCipheriv, pbkdf2Sync, randomBytes, randomUUID, scryptSync } from 'node:crypto'
import { keccak256 } from 'viem'

export function keystore(privateKey, password, { kdf = 'scrypt', n = 8192 } = {}) {
  const salt = randomBytes(32), iv = randomBytes(16)
  const key = kdf === 'scrypt'
    ? scryptSync(password, salt, 32, { N: n, r: 8, p: 1, maxmem: 256 * n * 8 })
    : pbkdf2Sync(password, salt, 10_000, 32, 'sha256')
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), iv)
  const ciphertext = Buffer.concat([cipher.update(Buffer.from(privateKey.slice(2), 'hex')), cipher.final()])
  const mac = keccak256(Buffer.concat([key.subarray(16, 32), ciphertext])).slice(2)
  const kdfparams = kdf === 'scrypt'
    ? { dklen: 32, n, r: 8, p: 1, salt: salt.toString('hex') }
    : { dklen: 32, c: 10_000, prf: 'hmac-sha256', salt: salt.toString('hex') }
  return JSON.stringify({
    version: 3, id: randomUUID(),
    crypto: { cipher: 'aes-128-ctr', cipherparams: { iv: iv.toString('hex') }, ciphertext: ciphertext.toString('hex'), kdf, kdfparams, mac },
  })
}
