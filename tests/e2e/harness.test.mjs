// Who watches the watchmen: the stand-in for the Safe service is held against recorded transcripts, the image writer
// and the checksum against fixtures, the contracts against their published behaviour.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodeFunctionData, keccak256, parseAbi, toFunctionSelector, toHex } from 'viem'
import { MULTICALL3, explainRevert, people, startChain } from '../harness/chain.mjs'
import { createSafe, deployRegistry, deploySafeRelease, deployTimelock, safeVersions, transferOwnership } from '../harness/deploy.mjs'
import { makeEif } from '../harness/eif.mjs'
import { batchOf, callsFor, checkOperationOnChain, checkProposal, checkSafeTx } from '../harness/opinion.mjs'
import { Owners } from '../harness/owners.mjs'
import { startRpcProxy } from '../harness/rpc-proxy.mjs'
import { Safe, Timelock, safeTx } from '../harness/safe.mjs'
import { deleteRequest, startSafeService } from '../harness/safe-service.mjs'
import { txBuilderChecksum } from '../harness/txbuilder.mjs'
import { seeded, testsDir } from '../harness/util.mjs'
import { makeWorld } from '../harness/world.mjs'

const fixture = (path) => JSON.parse(readFileSync(join(testsDir, 'fixtures', path), 'utf8'))

describe('the stand-in for the Safe service', () => {
  // The transcripts speak of the Safe that the second creation with the standard owners gives on chain 8453.
  const KEY = 'test-key'
  const { transcripts } = fixture('safe-service/transcripts.json')
  const named = (name) => transcripts.find((t) => t.name === name) ?? assert.fail(`no transcript "${name}"`)
  const vary = ['executionDate', 'submissionDate', 'modified', 'blockNumber', 'transactionHash', 'ethGasPrice', 'maxFeePerGas', 'maxPriorityFeePerGas', 'gasUsed', 'fee']
  let chain, service, safe, owners

  before(async () => {
    chain = await startChain({ chainId: 8453 })
    const release = await deploySafeRelease(chain, '1.4.1')
    safe = new Safe(chain, await createSafe(chain, release, { saltNonce: 1n }), '1.4.1')
    assert.equal(safe.address, '0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B')
    await chain.rpc('anvil_setStorageAt', safe.address, '0x5', `0x${(42).toString(16).padStart(64, '0')}`)
    service = await startSafeService(chain, { apiKey: KEY, releases: [release], prefix: '/tx-service/base' })
    owners = new Owners(service, safe)
  })
  after(async () => {
    await service?.stop()
    await chain?.stop()
  })

  async function play(name) {
    const { request, response } = named(name)
    const answer = await fetch(service.url.replace('/tx-service/base', '') + request.path, {
      method: request.method,
      headers: { accept: 'application/json', 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: request.body ? JSON.stringify(request.body) : undefined,
    })
    const text = await answer.text()
    assert.equal(answer.status, response.status, `${name}: ${text}`)
    return { got: text === '' ? null : JSON.parse(text), want: response.body }
  }
  async function same(name) {
    const { got, want } = await play(name)
    assert.deepEqual(got, want, name)
  }
  /// Equal in everything but what time and chance decide; field order counts, as the real one keeps it.
  async function sameObject(name) {
    const { got, want } = await play(name)
    assert.deepEqual(Object.keys(got), Object.keys(want), name)
    const plain = (o) => JSON.parse(JSON.stringify(o, (k, v) => (vary.includes(k) ? typeof v : v)))
    assert.deepEqual(plain(got), plain(want), name)
    return { got, want }
  }
  const forget = () => service.transactions.clear()

  test('safe info, also for what is no Safe and for a lower-case address', async () => {
    await same('safe info')
    await same('safe info: not a Safe / not indexed')
    await same('safe info: lower case address')
  })

  test('says no with the same words', async () => {
    for (const name of ['propose: wrong hash', 'propose: lower-case to', 'propose: sender not owner/delegate', 'list: empty']) await same(name)
    await play('read: unknown hash')
    assert.equal(service.transactions.size, 0)
  })

  test('an owner proposes, another confirms', async () => {
    await same('propose as owner')
    await sameObject('read: proposed by owner1, 1 of 2')
    await same('confirm')
    await sameObject('read: threshold reached 2 of 2')
    const again = await owners.post(`/v1/multisig-transactions/${named('confirm').request.path.match(/0x\w{64}/)[0]}/confirmations/`, named('confirm').request.body)
    assert.equal(again.status, 400)
    await same('propose as owner') // known already: 201 all the same
    forget()
  })

  test('a delegate proposes: trusted, but no confirmation', async () => {
    service.addDelegate({ safe: safe.address, delegate: people.proposer.address, delegator: people.owners[0].address, label: 'dstack-daemon' })
    await same('delegates of safe')
    const { body } = named('propose as owner').request
    const { contractTransactionHash: hash } = body
    const signature = await safe.sign(people.proposer, safeTx(body))
    const posted = await owners.post(`/v2/safes/${safe.address}/multisig-transactions/`, { ...body, sender: people.proposer.address, signature })
    assert.deepEqual(posted, { status: 201, body: null })
    await sameObject('read: proposed by delegate, 0 of 2')
    const two = await owners.post(`/v2/safes/${safe.address}/multisig-transactions/`, { ...body, sender: people.proposer.address, signature: body.signature + signature.slice(2) })
    assert.deepEqual(two.body, { nonFieldErrors: ['Just one signature is expected if using delegates'] })
    const wrongSender = await owners.post(`/v2/safes/${safe.address}/multisig-transactions/`, { ...body, signature })
    assert.equal(wrongSender.status, 422)
    assert.match(wrongSender.body.nonFieldErrors[0], /^Signature does not match sender=/)
    const confirmation = await owners.post(`/v1/multisig-transactions/${hash}/confirmations/`, { signature })
    assert.equal(confirmation.status, 400, 'a delegate must not be able to confirm')
    // Deleting: by the proposing delegate, over this hour's totp, of this Safe.
    const refused = await owners.delete(`/v2/multisig-transactions/${hash}/`, { signature: await people.stranger.signTypedData(deleteRequest(8453, safe.address, hash)) })
    assert.equal(refused.status, 400)
    const deleted = await owners.delete(`/v2/multisig-transactions/${hash}/`, { signature: await people.proposer.signTypedData(deleteRequest(8453, safe.address, hash)) })
    assert.equal(deleted.status, 204)
    assert.equal((await owners.get(`/v2/multisig-transactions/${hash}/`)).status, 404)
    service.removeDelegate(people.proposer.address)
  })

  test('naming a delegate takes the delegator\'s signature', async () => {
    await owners.addDelegate(people.proposer.address)
    assert.equal(service.delegates.length, 1)
    const forged = await owners.post('/v2/delegates/', {
      safe: safe.address, delegate: people.stranger.address, delegator: people.owners[0].address, label: 'x',
      signature: `0x${'11'.repeat(64)}1b`,
    })
    assert.equal(forged.status, 400)
    await assert.rejects(owners.addDelegate(people.stranger.address, { delegator: people.outsider }), /is not an owner of Safe/)
    service.removeDelegate(people.proposer.address)
  })

  test('without a signature a proposal is accepted and hidden', async () => {
    const { body } = named('propose as owner').request
    const { signature, ...unsigned } = body
    assert.equal((await owners.post(`/v2/safes/${safe.address}/multisig-transactions/`, unsigned)).status, 201)
    await sameObject('read: untrusted (posted without signature)')
    const list = `/v2/safes/${safe.address}/multisig-transactions/`
    assert.equal((await owners.get(list)).body.count, 0)
    assert.equal((await owners.get(`${list}?trusted=false`)).body.count, 1)
    assert.equal((await owners.post(list, body)).status, 201) // the signature makes it trusted
    assert.equal((await owners.get(list)).body.count, 1)
    forget()
  })

  test('lists: filters, order, pages', async () => {
    const list = `/v2/safes/${safe.address}/multisig-transactions/`
    await owners.propose({ to: people.stranger.address, nonce: 42n })
    for (const nonce of [43n, 44n, 46n]) await owners.propose({ to: safe.address, nonce })
    const rejection = await owners.propose({ to: safe.address, nonce: 42n }, people.owners[1])
    const at42 = (await owners.get(`${list}?nonce=42&executed=false&limit=100`)).body
    assert.deepEqual(Object.keys(at42), Object.keys(named('list by nonce: proposal and its rejection compete').response.body))
    assert.equal(at42.count, 2)
    assert.equal(at42.countUniqueNonce, 1)
    assert.equal(at42.results[0].safeTxHash, rejection, 'newest first within a nonce')
    const nonces = async (query) => (await owners.get(list + query)).body.results.map((r) => r.nonce)
    assert.deepEqual(await nonces(''), ['46', '44', '43', '42', '42'])
    assert.deepEqual(await nonces('?nonce__gte=43&ordering=nonce'), ['43', '44', '46'])
    assert.deepEqual(await nonces('?nonce__gt=43&nonce__lt=46'), ['44'])
    const first = (await owners.get(`${list}?ordering=nonce&limit=2`)).body
    assert.deepEqual(first.results.map((r) => r.nonce), ['42', '42'])
    const rest = await fetch(first.next, { headers: { authorization: `Bearer ${KEY}` } }).then((r) => r.json())
    assert.deepEqual(rest.results.map((r) => r.nonce), ['43', '44'])
    assert.ok(rest.previous)
    forget()
  })

  test('what a careless client does wrong is noticed', async () => {
    service.violations.length = 0
    const slashless = await fetch(`${service.url}/api/v1/safes/${safe.address}`, { redirect: 'manual', headers: { authorization: `Bearer ${KEY}` } })
    assert.equal(slashless.status, 301)
    assert.equal((await fetch(`${service.url}/v1/safes/${safe.address}/`, { headers: { authorization: `Bearer ${KEY}` } })).status, 404, 'without /api')
    assert.equal((await fetch(`${service.url}/api/v1/safes/${safe.address}/`)).status, 401, 'without the key')
    await owners.get(`/v1/safes/${safe.address.toLowerCase()}/`)
    assert.equal(service.violations.length, 2)
    service.violations.length = 0
  })

  test('faults: status, cut connections, delays, changed bodies', async () => {
    const path = `/v1/safes/${safe.address}/`
    owners.spared = false
    service.fault({ match: /safes/, times: 2, status: 503, body: { exception: 'x' } })
    assert.deepEqual((await Promise.all([owners.get(path), owners.get(path)])).map((r) => r.status), [503, 503])
    assert.equal((await owners.get(path)).status, 200)
    service.fault({ drop: 'before' })
    await assert.rejects(owners.get(path))
    service.fault({ match: /^POST/, drop: 'after' })
    await assert.rejects(owners.propose({ to: safe.address, nonce: 42n }))
    assert.equal(service.transactions.size, 1, 'the POST was carried out all the same')
    forget()
    service.fault({ mutate: (body) => ({ ...body, threshold: 1 }) })
    assert.equal((await owners.get(path)).body.threshold, 1)
    await service.down()
    await assert.rejects(owners.get(path))
    await service.up()
    assert.equal((await owners.get(path)).status, 200)
    assert.ok(service.seen(/^GET .*safes/).length > 4)
    owners.spared = true
    service.fault({ match: /safes/, status: 503 })
    assert.equal((await owners.get(path)).status, 200, 'not for people')
    service.clearFaults()
  })

  test('executed transactions are indexed from the chain', async () => {
    await same('propose as owner')
    await same('confirm')
    const hash = named('propose as owner').request.body.contractTransactionHash
    const receipt = await owners.execute(hash) // no contract is at the called addresses here: nothing reverts
    const { got } = await sameObject('read: executed ok')
    assert.equal(got.transactionHash, receipt.transactionHash)
    const { got: late } = await play('propose: nonce already executed').catch((e) => ({ got: String(e) }))
    assert.match(JSON.stringify(late), /already executed in tx-hash=0x/)
    // Executed without ever having been in the queue: known afterwards too.
    const { hash: other } = await safe.byHand({ to: people.stranger.address })
    const list = (await owners.get(`/v2/safes/${safe.address}/multisig-transactions/?executed=true&ordering=nonce`)).body
    assert.deepEqual(list.results.map((r) => [r.nonce, r.isSuccessful]), [['42', true], ['43', true]])
    assert.equal(list.results[1].safeTxHash, other)
    assert.equal((await owners.get(`/v1/safes/${safe.address}/`)).body.nonce, '44')
    // Also one that fails inside, with gas limits set: nonce burnt, isSuccessful false.
    const failing = await safe.byHand({ to: safe.address, data: '0xdeadbeef', safeTxGas: 100_000n })
    const shown = (await owners.get(`/v2/multisig-transactions/${failing.hash}/`)).body
    assert.deepEqual([shown.isExecuted, shown.isSuccessful], [true, false])
    assert.deepEqual(service.violations, [])
  })
})

describe('the contracts', () => {
  let chain
  before(async () => { chain = await startChain() })
  after(async () => { await chain?.stop() })
  const revert = (promise) => promise.then(() => assert.fail('did not revert'), (e) => e.data)

  test('both generations have the published selectors; only the first has isAuthorized', async () => {
    const published = {
      addOsImageHash: '0x06a3ae96', removeOsImageHash: '0x9425bac6', allowedOsImages: '0x9a4e1d18', addKmsAggregatedMr: '0x3e32d346',
      removeKmsAggregatedMr: '0x2adee48d', kmsAllowedAggregatedMrs: '0xf6fe4f40', addKmsDevice: '0x4d5922a1', removeKmsDevice: '0x9e6f3114',
      kmsAllowedDeviceIds: '0x13eb9770', addComposeHash: '0xdfc77223', removeComposeHash: '0x67b3f22c', allowedComposeHashes: '0x2f6622e5',
      addDevice: '0x2a819728', removeDevice: '0x1d266200', allowedDeviceIds: '0xbf8b211b', owner: '0x8da5cb5b', pendingOwner: '0xe30c3978',
      transferOwnership: '0xf2fde38b', acceptOwnership: '0x79ba5097', isAppAllowed: '0x1e079198', isKmsAllowed: '0xe067ec9d',
      registerApp: '0x17a1d80f', setAppImplementation: '0x3ceaaa11', setGatewayAppId: '0x3971db27', setAllowAnyDevice: '0x7c4beeb8',
      setRequireTcbUpToDate: '0x6e4c7422', allowAnyDevice: '0x3440a16a', requireTcbUpToDate: '0x0aa58c83', registeredApps: '0xa6c4cce9',
    }
    for (const name of ['Gen1Kms', 'Gen1App', 'Gen2Kms', 'Gen2App'])
      for (const f of chain.contracts[name].abi.filter((x) => x.type === 'function' && published[x.name]))
        assert.equal(toFunctionSelector(f), published[f.name], `${name}.${f.name}`)
    const has = (name, f) => chain.contracts[name].abi.some((x) => x.name === f)
    assert.deepEqual(['Gen1Kms', 'Gen1App', 'Gen2Kms', 'Gen2App'].map((c) => has(c, 'isAuthorized')), [true, true, false, false])
    assert.deepEqual(['Gen1Kms', 'Gen2Kms'].map((c) => has(c, 'pendingOwner')), [false, true])
  })

  test('one-step ownership moves at once, two-step after acceptance through the timelock', async () => {
    const release = await deploySafeRelease(chain, '1.4.1')
    const safe = new Safe(chain, await createSafe(chain, release), '1.4.1')
    const timelock = new Timelock(chain, await deployTimelock(chain, { minDelay: 3600, proposers: [safe.address], executors: [safe.address] }), safe)
    const one = await deployRegistry(chain, { generation: 1 })
    const two = await deployRegistry(chain, { generation: 2 })
    const owner = (c) => chain.read(c, 'function owner() view returns (address)')
    for (const r of [one, two]) await transferOwnership(chain, r, timelock.address)
    assert.equal(await owner(one.kms), timelock.address)
    assert.equal(await owner(two.kms), people.deployer.address, 'not before acceptance')
    assert.equal(await revert(chain.call({ to: one.kms, data: '0xe30c3978' })), '0x', 'no pendingOwner in the first generation')
    const add = encodeFunctionData({ abi: parseAbi(['function addOsImageHash(bytes32)']), args: [`0x${'a1'.repeat(32)}`] })
    assert.equal(explainRevert(await revert(chain.call({ from: timelock.address, to: two.kms, data: add }))), `OwnableUnauthorizedAccount(${timelock.address})`)
    await timelock.runByHand([two.kms, two.app].map((to) => ({ to, data: '0x79ba5097' })))
    assert.equal(await owner(two.kms), timelock.address)
    assert.equal(await owner(two.app), timelock.address)

    await timelock.runByHand([one.kms, two.kms].map((to) => ({ to, data: add })), { salt: `0x${'00'.repeat(31)}02` })
    const query = async (to, selector) => chain.call({ to, data: selector + 'a1'.repeat(32) })
    const yes = `0x${'1'.padStart(64, '0')}`
    assert.equal(await query(one.kms, '0x9a4e1d18'), yes)
    assert.equal(await query(two.kms, '0x9a4e1d18'), yes)
    assert.equal(await query(one.kms, toFunctionSelector('isAuthorized(bytes32)')), yes)
    assert.equal(await revert(query(two.kms, toFunctionSelector('isAuthorized(bytes32)'))), '0x')
    const log = (await chain.rpc('eth_getLogs', { address: two.kms, topics: ['0x341d3bc64e32172fc5bcf27b0f7f69dc5adc19af64b7aa1dee361e5883c32375'], fromBlock: '0x0' })).at(-1) // the policies set before are others
    assert.equal(log.topics[2], keccak256(toHex('os-image')))
    assert.equal(log.topics[3], `0x${'a1'.repeat(32)}`)
  })

  for (const version of safeVersions)
    test(`Safe ${version}: three ways to the same hash, and the signatures are accepted`, async () => {
      const release = await deploySafeRelease(chain, version)
      const safe = new Safe(chain, await createSafe(chain, release), version)
      assert.equal(await chain.read(safe.address, 'function VERSION() view returns (string)'), version)
      const { receipt, hash } = await safe.byHand({ to: people.stranger.address, value: 0n, data: '0x1234' })
      const success = receipt.logs.find((l) => l.topics[0] === '0x442e715f626346e8c54381002da614f62bee8d27386535b2521ec8540898556e')
      assert.equal(version === '1.3.0' ? success.data.slice(0, 66) : success.topics[1], hash)
      assert.equal(success.topics.length, version === '1.3.0' ? 1 : 2)
    })

  test('Multicall3 can be taken away', async () => {
    const data = encodeFunctionData({
      abi: chain.contracts.Multicall3.abi, functionName: 'aggregate3',
      args: [[{ target: MULTICALL3, allowFailure: true, callData: '0x42cbb15c' }, { target: MULTICALL3, allowFailure: true, callData: '0xdeadbeef' }]],
    })
    assert.ok((await chain.call({ to: MULTICALL3, data })).length > 66)
    await chain.setMulticall(false)
    assert.equal(await chain.call({ to: MULTICALL3, data }), '0x')
    await chain.setMulticall(true)
  })

  test('the RPC proxy counts and misbehaves', async () => {
    const proxy = await startRpcProxy(chain)
    const ask = async () => fetch(proxy.url, { method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }) })
    assert.equal((await (await ask()).json()).result, '0x7a69')
    proxy.fault({ times: 1, error: { code: -32005, message: 'limit' } })
    assert.equal((await (await ask()).json()).error.code, -32005)
    proxy.fault({ times: 1, mutate: () => '0x1' })
    assert.equal((await (await ask()).json()).result, '0x1')
    proxy.fault({ times: 1, status: 502 })
    assert.equal((await ask()).status, 502)
    assert.equal(proxy.count('eth_chainId'), 4)
    assert.deepEqual(proxy.violations, [])
    const batch = await fetch(proxy.url, { method: 'POST', body: '[{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}]' })
    assert.equal((await batch.json()).error.code, -32600)
    assert.equal(proxy.violations.length, 1)
    await proxy.down()
    await assert.rejects(ask())
  })
})

describe('the people', () => {
  // What the daemon is to do, done by hand: shows that the people's half works and that the second opinion holds.
  for (const safeVersion of safeVersions)
    test(`propose as the delegate, sign, execute, reject, cancel (Safe ${safeVersion})`, async () => {
      const world = await makeWorld({ safeVersion, generation: safeVersion === '1.3.0' ? 1 : 2 })
      try {
        const { safe, timelock, service, owners } = world
        const value = `0x${'ab'.repeat(32)}`
        const post = async (to, data) => {
          const tx = safeTx({ to, data, nonce: await safe.nonce() })
          const hash = await safe.hash(tx)
          const answer = await owners.post(`/v2/safes/${safe.address}/multisig-transactions/`, {
            ...JSON.parse(JSON.stringify(tx, (k, v) => (typeof v === 'bigint' ? v.toString() : v))), contractTransactionHash: hash,
            sender: people.proposer.address, signature: await safe.sign(people.proposer, tx), origin: 'by hand',
          })
          assert.equal(answer.status, 201, JSON.stringify(answer.body))
          return { safe_tx_hash: hash, nonce: Number(tx.nonce), attempt: 1 }
        }
        const round = async (attempt) => {
          const calls = callsFor(world.registry, value)
          const { batch, id } = batchOf(world.chain.chainId, timelock.address, calls, attempt)
          await checkOperationOnChain(world, batch, id)
          const p = { origin: 'registrard', safe: safe.address.toLowerCase(), operation_id: id, calls, safe_txs: [] }
          p.safe_txs.push({ purpose: 'schedule', ...(await post(timelock.address, timelock.encode('scheduleBatch', [...batch, 3600n]))) })
          checkProposal(world, p, { values: [value], attempt })
          await checkSafeTx(world, p, 'schedule', { batch, id, signer: people.proposer, delay: 3600 })
          return { p, batch, id, hash: p.safe_txs[0].safe_tx_hash }
        }
        const first = await round(0)
        await owners.reject(first.hash)
        assert.equal(await timelock.timestamp(first.id), 0)
        const second = await round(0)
        assert.equal(second.id, first.id)
        await owners.approve(second.hash)
        assert.ok((await timelock.timestamp(second.id)) > 1)
        await timelock.cancel(second.id)
        assert.equal(await timelock.timestamp(second.id), 0)
        const third = await round(1)
        await owners.approve(third.hash)
        await world.passDelay()
        await owners.approve((await post(timelock.address, timelock.encode('executeBatch', third.batch))).safe_tx_hash)
        assert.equal(await timelock.timestamp(third.id), 1)
        assert.deepEqual(await world.allowed(value), { kms: true, app: true })
        assert.deepEqual(await service.pending(safe.address), [])
      } finally { await world.close() }
    })
})

describe('files', () => {
  test('Transaction Builder checksums', () => {
    const { files } = fixture('txbuilder/checksums.json')
    assert.equal(files.length, readdirSync(join(testsDir, 'fixtures', 'txbuilder')).filter((f) => /^\d/.test(f)).length)
    for (const { file, checksum } of files) assert.equal(txBuilderChecksum(fixture(file)), checksum, file)
  })

  test('an image of known content has known PCRs', () => {
    // Values of these images as an independent reader of the format (in another language) gave them.
    const random = seeded(7)
    assert.equal(makeEif(random, { ramdisks: 1 }).value, '0x4b1e8f9d8e460fa59b3a1974df77db92f51280c74b7265a6a707bceeff91cc60')
    assert.equal(makeEif(random, { ramdisks: 2 }).value, '0xc1b6ee0a157e5620afba4f5432ccdcd9129df36ba52b9cf5246efde5dcca9b11')
    assert.equal(makeEif(random, { ramdisks: 4 }).value, '0x941296ae80d00170b343340af8c7ce189224f99deed571f29a16b31e1c05afa6')
  })
})
