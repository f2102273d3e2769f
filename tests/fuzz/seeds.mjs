// Writes what the search begins with, from tests/fixtures, to build/fuzz/seeds/<target>/:
//
//   node tests/fuzz/seeds.mjs
//
// tests/fuzz/corpus holds what was left of it, and of what was found, after minimising.
import { createCipheriv, createHash, scryptSync, pbkdf2Sync } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { concat, encodeAbiParameters, encodeFunctionData, hexToBytes, keccak256, parseAbi } from 'viem'

const root = 'build/fuzz/seeds'
const fixtures = 'tests/fixtures'

function seed(target, content) {
  const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.concat([content].flat().map((c) => Buffer.from(c)))
  const name = createHash('sha1').update(bytes).digest('hex')
  mkdirSync(`${root}/${target}`, { recursive: true })
  writeFileSync(`${root}/${target}/${name}`, bytes)
}

const file = (name) => readFileSync(`${fixtures}/${name}`)
const json = (name) => JSON.parse(file(name))
const hex = (text) => Buffer.from(text.slice(2), 'hex')
const folder = (name) => readdirSync(`${fixtures}/${name}`).filter((f) => !f.endsWith('.md') && f !== 'make')

// --- measuring

for (const name of folder('eif').filter((f) => f.endsWith('.eif'))) {
  seed('eif', [file(`eif/${name}`)])
  seed('measure', [[0], file(`eif/${name}`)])
  const section = file(`eif/${name}`)
  seed('cbor', [section.subarray(-1700)])
  seed('crc', [[7, 64, 1, 200], section])
}
for (const name of folder('nitro')) {
  seed('nitro', [file(`nitro/${name}`)])
  seed('measure', [[1], file(`nitro/${name}`)])
  seed('measure', [[2], file(`nitro/${name}`)])
  if (name.endsWith('.json')) seed('jval', [file(`nitro/${name}`)])
}
for (const item of ['1817', '3903e7', '4401020304', '6449455446', '83010203', 'a201020304', 'd2845820', 'd81864', 'f97e00', '5f4101ff', 'c11a514b67b0', '1bffffffffffffffff', 'a2 6e72656769737465725f696e64657800'])
  seed('cbor', [Buffer.from(item.replace(/ /g, ''), 'hex')])

for (const name of folder('sigstore').filter((f) => /sigstore\.json$|^conf_|^legacy/.test(f)))
  seed('measure', [[8], file(`sigstore/${name}`)])

// --- messages

const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b }
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b }
const text = (t) => [u32(Buffer.byteLength(t)), Buffer.from(t)]
const message = (kind, id, body) => [[0, 1], [0, kind], u32(id), u32(body.length), body]

const fields = Buffer.concat([[0], u32(7), [1], u64(8), [2], Buffer.alloc(20, 9), [3], u32(3), Buffer.from('abc'), [4], [1]].map((b) => Buffer.from(b)))
seed('message', message(2, 5, fields))
seed('message', message(1, 0, Buffer.alloc(0)))

function measured(format, refused, details) {
  const pcrs = [1, 2, 3].map((n) => Buffer.alloc(48, n))
  const value = createHash('sha256').update(Buffer.concat(pcrs)).digest()
  const reason = refused ? [[1], ...text('why')] : [[0]]
  const about = details ? [[1], ...text(details)] : [[0]]
  // BLAKE2b, the signature of a signature file, values of what is about no enclave
  const blake = [[format === 1 ? 1 : 0], Buffer.alloc(64, format === 1 ? 6 : 0)]
  const subject = format === 16 ? [[1], ...text('enclave.eif'), Buffer.alloc(32, 7)] : [[0]]
  const signature = format < 16 ? [[0]] : [[format - 15], [refused ? 0 : 1], [0], [1], ...text('somebody'), ...subject, Buffer.alloc(8, 8), Buffer.alloc(64, 9)]
  const state = format === 17 ? [...Array(3).fill(Buffer.alloc(48)), [0], Buffer.alloc(48), Buffer.alloc(32)] : [...pcrs, [1], Buffer.alloc(48, 4), value]
  return [[format], [refused ? 1 : 0], ...reason, [format > 15 ? 1 : 2], [0], ...state, Buffer.alloc(32, 5), u64(4711), ...about, ...blake, ...signature, [0]]
}
const sigstoreRule = [[1], [1], ...text('https://issuer'), [1], ...text('https://github.com/o/r/w@'), [1], ...text('type'), u32(2), Buffer.from('{}'), [0]]
seed('measurer_wire', [...text('a.eif'), [0], [0]])
seed('measurer_wire', [...text('measurements.sigstore.json'), [0], [1], ...sigstoreRule])
seed('measurer_wire', [...text('a.eif'), [0], [1], [2], [0], [0], [0], u32(0), [1], Buffer.alloc(40, 3)])
for (const format of [1, 2, 3, 4, 16, 17]) {
  seed('measurer_wire', measured(format, false, '{"a":1}'))
  seed('measurer_wire', measured(format, true, null))
}
seed('measurer_wire', text('payments.eif'))

const zeros = (n) => Buffer.alloc(n)
const safeTx = [...text('pay'), [1], u64(8453), Buffer.alloc(20, 1), Buffer.alloc(20, 2), zeros(32), u32(5), Buffer.from('hello'), [0], zeros(96), zeros(40), u64(3)]
seed('signer_wire', [[1], ...text('c.yaml'), u32(2), ...text('/a'), ...text('/b')])
seed('signer_wire', [[2], ...safeTx])
seed('signer_wire', [[3], ...text('pay'), Buffer.alloc(32, 3), u64(480000)])
seed('signer_wire', [[4], ...text('pay'), u64(1), u64(2), u64(21000), zeros(32), zeros(32), Buffer.alloc(20, 4), zeros(32), u32(3), Buffer.from('abc')])
seed('signer_wire', [[16], u32(1), ...text('pay'), [1], Buffer.alloc(20, 5)])
seed('signer_wire', [[17], Buffer.alloc(65, 6), Buffer.alloc(32, 7)])
seed('signer_wire', [[18], u32(4), Buffer.from([2, 0xf8, 1, 2]), Buffer.alloc(32, 8)])
seed('signer_wire', [[19], [7], ...text('refused')])

// --- calldata

const calldatas = []
for (const batch of json('eth/abi_timelock.json').batches.slice(0, 4)) calldatas.push(batch.scheduleBatch, batch.executeBatch)
for (const one of json('governance/multisend.json').cases.slice(0, 4)) calldatas.push(one.multiSend_calldata)
for (const one of json('governance/zodiac_delay.json').cases) calldatas.push(one.execTransactionFromModule, one.executeNextTx)
calldatas.push('0xb19d4758', encodeFunctionData({ abi: parseAbi(['function setTxNonce(uint256)']), args: [7n] }))
for (const call of json('eth/abi_dstack.json').calls) calldatas.push(call.calldata)
calldatas.push(encodeFunctionData({ abi: parseAbi(['function cancel(bytes32)']), args: [`0x${'ab'.repeat(32)}`] }))
const zero = `0x${'00'.repeat(20)}`
for (const data of ['0x', calldatas[0]])
  calldatas.push(encodeFunctionData({
    abi: parseAbi(['function execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)']),
    args: [`0x${'11'.repeat(20)}`, 0n, data, 0, 0n, 0n, 0n, zero, zero, `0x${'22'.repeat(65)}`],
  }))
const kms = /67d269191c92caf3cd7723f116c85e6e9bf55933/g, app = /fbd745797a0fb50429f0a2b04581092798fdf30b/g
for (const data of calldatas) {
  seed('calldata', hex(data))
  for (const [target, last] of [[0, ['1', '2']], [2, ['4', '5']]]) {
    const ours = hex(data.replace(kms, `1${'0'.repeat(38)}${last[0]}`).replace(app, `1${'0'.repeat(38)}${last[1]}`))
    if (target === 0) for (const purpose of [1, 3, 5]) seed('policy', [[target, purpose, 0, 0], ours])
    else for (const [to, operation] of [[1, 0], [2, 0], [4, 1], [20, 1]]) seed('policy', [[target, 2, to, operation], ours])
  }
}
seed('policy', [[0, 4, 3, 0]])

// --- chains

for (const log of json('governance/event_logs.json').logs)
  seed('events', [[log.topics.length, 255], ...log.topics.map(hex), hex(log.data)])
for (const one of json('eth/revert_data.json').cases) seed('revert', hex(one.data))
for (const reason of ['GS013', 'GS026', 'AccessControl: account 0x70997970c51812dc3a010c7d01b50e0d17dc79c8 is missing role 0xb09aa5aeb3702cfd50b6b62bc4532604938f21248a27a1d5ca736082b6819cc1'])
  seed('revert', hex(concat(['0x08c379a0', encodeAbiParameters([{ type: 'string' }], [reason])])))
seed('multicall', [[3], hex(json('eth/multicall3.json').example_return)])
seed('multicall', [[0], hex(encodeAbiParameters([{ type: 'address[]' }], [[zero, `0x${'33'.repeat(20)}`]]))])
seed('multicall', [[0], hex(encodeAbiParameters([{ type: 'string' }], ['1.4.1']))])
seed('multicall', [[0], Buffer.alloc(31), [1]])

const answers = ['"0x1b4"', '"0x"', `"0x${'ab'.repeat(32)}"`, `"0x${'cd'.repeat(20)}"`, 'null', '{"number":"0x1","hash":"0x02"}', '[]']
for (const result of answers) seed('jsonrpc', `\0{"jsonrpc":"2.0","id":7,"result":${result}}`)
const errors = ['{"code":3,"message":"execution reverted","data":"0x08c379a0"}', '{"code":-32000,"message":"header not found"}', '{"code":-32015,"message":"VM","data":{"data":"0x12"}}']
for (const error of errors) {
  seed('jsonrpc', `\0{"jsonrpc":"2.0","id":null,"error":${error}}`)
  seed('jsonrpc', `\x01{"jsonrpc":"2.0","id":null,"error":${error}}`)
  seed('jsonrpc', `\x01[{"id":8,"result":"0x1"},{"id":9,"error":${error}},{"id":7,"result":null}]`)
}

// --- services, files, texts

for (const { response } of json('safe-service/transcripts.json').transcripts)
  if (response?.body !== undefined && response.body !== null) {
    const body = typeof response.body === 'string' ? response.body : JSON.stringify(response.body)
    seed('tx_service', body)
    seed('jval', body)
  }
for (const name of folder('txbuilder')) {
  seed('txbuilder', [file(`txbuilder/${name}`)])
  seed('jval', [file(`txbuilder/${name}`)])
}
for (const odd of ['[1.5,-0.0,1e300,true,null,"\\u20ac\\ud83d\\ude00"]', '{"command":"status","args":{"target":"pay"}}']) seed('jval', odd)

const key = Buffer.alloc(32, 0x11)
seed('keyfile', `0x${key.toString('hex')}\n`)
for (const kdf of ['scrypt', 'pbkdf2']) {
  const salt = Buffer.alloc(32, 1), iv = Buffer.alloc(16, 2)
  const kdfparams = kdf === 'scrypt' ? { dklen: 32, n: 2, r: 1, p: 1 } : { dklen: 32, c: 1, prf: 'hmac-sha256' }
  const derived = kdf === 'scrypt' ? scryptSync('testpassword', salt, 32, { N: 2, r: 1, p: 1 }) : pbkdf2Sync('testpassword', salt, 1, 32, 'sha256')
  const cipher = createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv)
  const ciphertext = cipher.update(key).toString('hex')
  const mac = keccak256(hexToBytes(`0x${derived.subarray(16).toString('hex')}${ciphertext}`)).slice(2)
  const crypto = { cipher: 'aes-128-ctr', cipherparams: { iv: iv.toString('hex') }, ciphertext, kdf, kdfparams: { ...kdfparams, salt: salt.toString('hex') }, mac }
  seed('keyfile', JSON.stringify({ version: 3, crypto }))
}

seed('config', [readFileSync('config/registrard.example.yaml')])
const yaml = readFileSync('tests/fuzz/fuzz_policy.c', 'utf8').split('static const char yaml[] =')[1].split(';')[0]
seed('config', [...yaml.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((m) => JSON.parse(`"${m[1]}"`)).join(''))

for (const one of ['500ms', '90s', '72h', '14d', '9223372036854775807ms', '0x', `0x${'Ab'.repeat(32)}`, '0x70997970C51812dc3A010C7d01b50e0d17dc79C8', '0x70997970c51812dc3a010c7d01b50e0d17dc79c8', '115792089237316195423570985008687907853269984665640564039457584007913129639935', '1.4.1+L2', 'os-image', 'recomputed'])
  seed('text', one)

seed('http_head', 'PUT /v1/builds/a/b/c.eif?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nContent-Range: bytes 0-11/12\r\nAuthorization: Bearer abcdefgh\r\nExpect: 100-continue\r\n\r\n')
seed('http_head', 'GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\nX: \ta\t \r\n\r\n')
seed('http_head', 'POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n')
seed('http_head', 'GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n folded\r\n\r\n')

// --- evidence

for (const name of folder('tdx')) {
  if (name.endsWith('.quote.bin')) seed('tdx_quote', [file(`tdx/${name}`)])
  if (name.endsWith('.event_log.json')) {
    // The whole log, and one short enough to be searched: the events of RTMR3.
    const log = json(`tdx/${name}`)
    seed('event_log', JSON.stringify(log.filter((entry) => entry.imr === 3)))
    seed('event_log', JSON.stringify(log.slice(0, 4)))
  }
  if (name.endsWith('.scale.bin')) seed('scale', [file(`tdx/${name}`)])
  if (name.endsWith('.app-compose.json')) seed('app_compose', [file(`tdx/${name}`)])
}
for (const name of folder('nitro')) {
  if (name.endsWith('.nsm.cose')) seed('nsm', [file(`nitro/${name}`)])
  if (name.endsWith('.scale.bin')) seed('scale', [file(`nitro/${name}`)])
  if (/\.(txt|log|md)$/.test(name)) seed('build_log', [file(`nitro/${name}`)])
}
for (const name of [...folder('info').map((f) => `info/${f}`), ...folder('ra_tls').filter((f) => f.endsWith('.json')).map((f) => `ra_tls/${f}`)]) {
  seed('guest_info', [[0], file(name)])
  seed('guest_info', [[1], file(name)])
  const cert = /-----BEGIN CERTIFICATE-----[^"]*-----END CERTIFICATE-----\\n/.exec(file(name).toString())
  if (cert) {
    const pem = cert[0].replace(/\\n/g, '\n')
    seed('ra_tls', pem)
    const der = Buffer.from(pem.split('-----')[2], 'base64')
    seed('ra_tls', [der])
    seed('der', [der])
  }
}
for (const der of ['ra_tls/root.der', 'tdx/IntelSGXRootCA.der', 'nitro/AWS-NitroEnclaves-Root-G1.der']) {
  seed('ra_tls', [file(der)])
  seed('der', [file(der)])
}
for (const compose of ['services:\n  a:\n    image: nginx:1\n  b:\n    image: "x@sha256:' + 'a'.repeat(64) + '"\n', "x: {image: 'a', y: [image: b]}\n", 'a:\n  image: >-\n    folded\n  # image: no\n  image:\n    next\n'])
  seed('app_compose', compose)
for (const name of ['snp.sha256sum.txt', 'tdx-lite.sha256sum.txt', 'synthetic/sha256sum.txt', 'synthetic/digest.txt']) seed('os_image', [file(`osimage/${name}`)])
for (const name of folder('info')) {
  const info = json(`info/${name}`)
  if (typeof info.vm_config === 'string') seed('os_image', info.vm_config)
}
for (const name of folder('sigstore').filter((f) => f.endsWith('.json') && f !== 'expected.json')) seed('sigstore', [file(`sigstore/${name}`)])
for (const workflow of ['https://github.com/a/b/.github/workflows/c.yml@refs/heads/main', 'https://github.com/a/b/']) seed('sigstore', workflow)

const tests = readFileSync('tests/unit/test_minisign.c', 'utf8')
const macro = (name) => [...tests.split(`#define ${name}`)[1].split(/\n(?!\t)/)[0].matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((m) => JSON.parse(`"${m[1]}"`)).join('')
const minisignKey = macro('KEY')
const signed = `${macro('FIRST')}${macro('HASHED')}\n${macro('HASHED_COMMENT')}\n${macro('HASHED_GLOBAL')}\n`
seed('minisign', [[minisignKey.length], Buffer.from(minisignKey), Buffer.from(signed)])
// The rule is chosen by the length: each once.
for (const tail of ['', '\n', '\n\n']) seed('measure', [[9], Buffer.from(signed + tail)])
for (const one of ['AAECAw==', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05Z']) seed('minisign', one)

// --- all of it through the one entry, under a name that helps or none

for (const folder of ['build_log', 'app_compose', 'nsm', 'tdx_quote', 'guest_info', 'os_image'])
  for (const name of readdirSync(`${root}/${folder}`)) {
    const content = readFileSync(`${root}/${folder}/${name}`)
    seed('measure', [[2], folder === 'guest_info' ? content.subarray(1) : content])
    seed('measure', [[3], folder === 'guest_info' ? content.subarray(1) : content])
  }

// --- timestamps: message, the authority's root, the answer
{
  const bundle = json('sigstore/conf_rekor2-dsse-happy-path_bundle.sigstore.json')
  const [authority] = json('sigstore/conf_rekor2-dsse-happy-path_trusted_root.json').timestampAuthorities
  const message = Buffer.from(bundle.dsseEnvelope.signatures[0].sig, 'base64')
  const chain = authority.certChain.certificates.map((c) => Buffer.from(c.rawBytes, 'base64'))
  const answer = Buffer.from(bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps[0].signedTimestamp, 'base64')
  seed('timestamp', [[message.length], message, ...chain.flatMap((c) => [[c.length >> 8, c.length & 255], c]), answer])
}
