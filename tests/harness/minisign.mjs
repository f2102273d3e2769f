// Signs as minisign does (https://jedisct1.github.io/minisign/#signature-format), written from its description alone.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/// { publicKey: the line that minisign prints, sign(bytes): the text of a .minisig file }
export function makeSigner() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url')
  const id = randomBytes(8)
  return {
    publicKey: Buffer.concat([Buffer.from('Ed'), id, raw]).toString('base64'),
    /// id: as minisign prints it.
    id: Buffer.from(id).reverse().toString('hex').toUpperCase(),
    sign(bytes, { comment = 'timestamp:1700000000\tfile:artifact\thashed' } = {}) {
      const signature = sign(null, createHash('blake2b512').update(bytes).digest(), privateKey)
      const global = sign(null, Buffer.concat([signature, Buffer.from(comment)]), privateKey)
      return ['untrusted comment: signature from a test', Buffer.concat([Buffer.from('ED'), id, signature]).toString('base64'),
        `trusted comment: ${comment}`, global.toString('base64'), ''].join('\n')
    },
  }
}
