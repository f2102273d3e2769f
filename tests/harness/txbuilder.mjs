// The Safe Transaction Builder's file checksum, implemented from its description.
import { keccak256, toHex } from 'viem'

function serialize(value) {
  if (Array.isArray(value)) return `[${value.map(serialize).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const keys = Object.keys(value).sort()
    return `{${JSON.stringify(keys)}${keys.map((k) => `${serialize(value[k])},`).join('')}}`
  }
  return value === undefined ? 'null' : JSON.stringify(value)
}

export function txBuilderChecksum(batch) {
  const { checksum, ...meta } = batch.meta
  return keccak256(toHex(serialize({ ...batch, meta: { ...meta, name: null } })))
}
