// What an endpoint may say that is not so: faults for the proxy in front of the chain.
const YES = `0x${'1'.padStart(64, '0')}`
const later = (hex, seconds) => `0x${(BigInt(hex) + BigInt(seconds)).toString(16)}`
const of = (...methods) => (method) => methods.includes(method)

export const LIES = [
  // Yes to every question, and every operation is done; or no.
  { match: of('eth_call'), mutate: (result) => (result.length === 66 ? YES : result.replace(/0{64}/g, YES.slice(2))) },
  { match: of('eth_call'), mutate: (result) => result.replace(/0{63}1/g, '0'.repeat(64)) },
  // Nothing ever happened; everything was cancelled; it happened twice.
  { match: of('eth_getLogs'), mutate: () => [] },
  { match: of('eth_getLogs'), mutate: (logs) => logs?.map((l) => ({ ...l, topics: ['0xbaa1eb22f2a492ba1a5fea61b8df4d27c6c8b5f3971e63bb58fa14ff72eedb70', ...l.topics.slice(1, 2)], data: '0x' })) },
  { match: of('eth_getLogs'), mutate: (logs) => logs?.flatMap((l) => [l, { ...l, logIndex: later(l.logIndex, 1) }]) },
  // Another chain behind the same numbers; one that is far ahead; one whose clock is.
  { match: of('eth_getBlockByNumber'), mutate: (block) => block && { ...block, hash: `0x${'ab'.repeat(32)}` } },
  { match: of('eth_blockNumber', 'eth_getBlockByNumber'), mutate: (answer) => (typeof answer === 'string' ? later(answer, 1000) : answer && { ...answer, number: later(answer.number, 1000) }) },
  { match: of('eth_getBlockByNumber', 'eth_getBlockByHash'), mutate: (block) => block && { ...block, timestamp: later(block.timestamp, 86_400) } },
  // What was sent failed, or was never seen.
  { match: of('eth_getTransactionReceipt'), mutate: (receipt) => receipt && { ...receipt, status: receipt.status === '0x1' ? '0x0' : '0x1' } },
  { match: of('eth_getTransactionReceipt', 'eth_getTransactionByHash'), mutate: () => null },
  // A node that has lost its state.
  { match: of('eth_call', 'eth_getLogs', 'eth_getCode'), mutate: () => new Error('missing trie node') },
]

/// From now on this endpoint knows no block after the present one.
export async function lag(chain, proxy) {
  const head = await chain.rpc('eth_getBlockByNumber', 'latest', false)
  const knows = (tag) => typeof tag !== 'string' || !/^0x/.test(tag) || tag.length > 40 || BigInt(tag) <= BigInt(head.number)
  const hashes = new Set()
  for (let n = 0n; n <= BigInt(head.number); n++) hashes.add((await chain.rpc('eth_getBlockByNumber', `0x${n.toString(16)}`, false)).hash)
  const unknown = (at) => at?.blockHash && !hashes.has(at.blockHash)
  proxy.fault({
    mutate: (result, method, params) => {
      if (method === 'eth_blockNumber') return head.number
      if (method === 'eth_getBlockByNumber') return params[0] === 'latest' ? head : knows(params[0]) ? result : null
      if (method === 'eth_getLogs') return unknown(params[0]) || !knows(params[0].toBlock) ? new Error('unknown block') : result
      if (method === 'eth_call' || method === 'eth_getCode') return unknown(params[1]) || (typeof params[1] === 'string' && !knows(params[1])) ? new Error('header not found') : result
      return result
    },
  })
}
