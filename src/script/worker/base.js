// What a script finds beside the language itself. Evaluated before each script, in its own realm; gives the bridge to
// the worker. `native` holds the worker's functions and is seen by nobody else.
(function (native) {
  'use strict'

  // No text becomes code: what a customer typed in cannot be run by accident.
  const refused = function Function() {
    throw new EvalError('code cannot be made from text here')
  }
  const kinds = [function () {}, async function () {}, function* () {}, async function* () {}]
  for (const kind of kinds) {
    Object.defineProperty(Object.getPrototypeOf(kind), 'constructor', { value: refused })
  }
  refused.prototype = Object.getPrototypeOf(kinds[0])
  globalThis.Function = refused
  for (const name of ['eval', 'SharedArrayBuffer', 'Atomics', 'performance']) {
    delete globalThis[name]
  }

  // A result that depends on the time or on chance must not be remembered.
  const random = Math.random
  Math.random = function () {
    native.touch()
    return random()
  }
  const WorldDate = Date
  const now = function now() {
    native.touch()
    return WorldDate.now()
  }
  globalThis.Date = new Proxy(WorldDate, {
    apply: () => new globalThis.Date().toString(),
    construct(target, given, made) {
      if (given.length === 0) native.touch()
      return Reflect.construct(target, given, made)
    },
    get: (target, name) => (name === 'now' ? now : target[name]),
  })
  WorldDate.prototype.constructor = globalThis.Date

  const shown = (value) => {
    if (typeof value === 'string') return value
    if (value instanceof Error) return `${value.name}: ${value.message}`
    try {
      return JSON.stringify(value) ?? String(value)
    } catch {
      return String(value)
    }
  }
  const write = (...values) => native.say(values.map(shown).join(' ').toWellFormed())
  globalThis.console = { log: write, info: write, warn: write, error: write, debug: write, trace: write }

  // Bytes as text with a character for each, and back; the worker knows the encodings.
  const binary = (bytes) => {
    let text = ''
    for (let place = 0; place < bytes.length; place += 4096) {
      text += String.fromCharCode.apply(null, bytes.subarray(place, place + 4096))
    }
    return text
  }
  const bytesOf = (text, encoding) => native.bytes(String(text).toWellFormed(), encoding)
  const textOf = (bytes, encoding) => native.text(binary(bytes), encoding)

  // What the worker asks its parent for, until it is answered.
  const waiting = new Map()
  const ask = (kind, head, body) =>
    new Promise((resolve, reject) => {
      const isText = body === undefined || typeof body === 'string'
      const id = native.ask(kind, JSON.stringify(head), isText ? body?.toWellFormed() : binary(body), isText)
      waiting.set(id, { resolve, reject })
    })

  const cancelled = new Set()
  let timers = 0
  globalThis.setTimeout = (action, delay = 0, ...given) => {
    const timer = ++timers
    ask('sleep', { milliseconds: Math.min(Math.max(Number(delay) || 0, 0), 2 ** 31) }).then(() => {
      if (!cancelled.delete(timer)) action(...given)
    })
    return timer
  }
  globalThis.clearTimeout = (timer) => {
    cancelled.add(timer)
  }

  class Buffer extends Uint8Array {
    static from(value, encoding = 'utf8') {
      const bytes = typeof value === 'string' ? bytesOf(value, encoding) : new Uint8Array(value)
      return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    static concat(parts) {
      const whole = new Buffer(parts.reduce((length, part) => length + part.length, 0))
      let end = 0
      for (const part of parts) {
        whole.set(part, end)
        end += part.length
      }
      return whole
    }
    static isBuffer(value) {
      return value instanceof Buffer
    }
    static byteLength(value, encoding) {
      return Buffer.from(value, encoding).length
    }
    toString(encoding = 'utf8') {
      return textOf(this, encoding)
    }
  }
  globalThis.Buffer = Buffer
  globalThis.btoa = (value) => textOf(bytesOf(value, 'latin1'), 'base64')
  globalThis.atob = (value) => textOf(bytesOf(value, 'base64'), 'latin1')
  globalThis.TextEncoder = class TextEncoder {
    encode(value = '') {
      return bytesOf(value, 'utf8')
    }
  }
  globalThis.TextDecoder = class TextDecoder {
    decode(bytes = new Uint8Array()) {
      return textOf(new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset, bytes.byteLength), 'utf8')
    }
  }

  class URLSearchParams {
    #pairs = []
    constructor(from = '') {
      if (typeof from === 'string') {
        const decoded = (part) => decodeURIComponent(part.replace(/\+/g, ' '))
        for (const pair of from.replace(/^\?/, '').split('&').filter(Boolean)) {
          const [name, ...value] = pair.split('=')
          this.append(decoded(name), decoded(value.join('=')))
        }
      } else {
        for (const [name, value] of from[Symbol.iterator] ? from : Object.entries(from)) this.append(name, value)
      }
    }
    append(name, value) {
      this.#pairs.push([String(name), String(value)])
    }
    set(name, value) {
      const first = this.#pairs.findIndex(([known]) => known === name)
      if (first < 0) return this.append(name, value)
      this.#pairs = this.#pairs.filter(([known], place) => known !== name || place === first)
      this.#pairs[first][1] = String(value)
    }
    delete(name) {
      this.#pairs = this.#pairs.filter(([known]) => known !== name)
    }
    get(name) {
      return this.#pairs.find(([known]) => known === name)?.[1] ?? null
    }
    getAll(name) {
      return this.#pairs.filter(([known]) => known === name).map(([, value]) => value)
    }
    has(name) {
      return this.#pairs.some(([known]) => known === name)
    }
    forEach(action) {
      for (const [name, value] of this.#pairs) action(value, name, this)
    }
    keys() {
      return this.#pairs.map(([name]) => name)[Symbol.iterator]()
    }
    values() {
      return this.#pairs.map(([, value]) => value)[Symbol.iterator]()
    }
    entries() {
      return this.#pairs.map((pair) => [...pair])[Symbol.iterator]()
    }
    [Symbol.iterator]() {
      return this.entries()
    }
    toString() {
      const mark = (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
      const encoded = (part) => encodeURIComponent(part).replace(/[!'()~]/g, mark).replace(/%20/g, '+')
      return this.#pairs.map((pair) => pair.map(encoded).join('=')).join('&')
    }
  }
  globalThis.URLSearchParams = URLSearchParams

  globalThis.URL = class URL {
    #parts
    constructor(text, base) {
      this.#parts = JSON.parse(native.url(String(text), base === undefined ? undefined : String(base)))
      this.searchParams = new URLSearchParams(this.#parts.search)
      for (const name of ['protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'hash', 'origin']) {
        Object.defineProperty(this, name, { value: this.#parts[name], enumerable: true })
      }
    }
    get search() {
      const search = this.searchParams.toString()
      const same = search === new URLSearchParams(this.#parts.search).toString()
      return same ? this.#parts.search : search && `?${search}`
    }
    get href() {
      return this.#parts.before + this.search + this.hash
    }
    toString() {
      return this.href
    }
    toJSON() {
      return this.href
    }
  }

  const described = (error) => {
    // Where no memory is left for an error, the engine throws null.
    if (error === null) return { name: 'InternalError', message: 'out of memory' }
    if (typeof error !== 'object') return { name: 'Error', message: String(error) }
    const key = error.key ?? error.data?.key
    return {
      name: String(error.name ?? 'Error'),
      message: String(error.message ?? shown(error)),
      stack: String(error.stack ?? ''),
      key: typeof key === 'string' ? key : undefined,
      status: Number.isInteger(error.response?.status) ? error.response.status : undefined,
    }
  }
  const failed = (error) => native.failed(JSON.stringify(described(error)))

  // The documented export styles, and `exports.default` as compilers write it.
  const entry = (namespace, method) => {
    const { exports } = globalThis.module
    const found = [namespace.default, namespace[method], exports, exports?.[method], exports?.default]
    const chosen = found.find((candidate) => typeof candidate === 'function')
    if (!chosen) native.unexported()
    return chosen
  }

  // What leaves is JSON, which drops functions; one that was to judge answers must not be missed.
  const leaving = (value) => {
    const text = JSON.stringify(value)
    const options = value?.toJSON?.() ?? value
    if (typeof options?.responseHandlers === 'function') {
      throw new TypeError('responseHandlers is a function, which cannot leave its script: give a list of formulas')
    }
    return text
  }

  globalThis.module = { exports: {} }
  globalThis.exports = globalThis.module.exports

  return {
    ask,
    /** Calls the function that the module exports; without an argument, only looks for it. */
    start(evaluated, namespace, method, argument, clients) {
      const call = () => {
        const chosen = entry(namespace, method)
        return argument === undefined ? undefined : chosen({ ...JSON.parse(argument), ...clients })
      }
      evaluated
        .then(call)
        .then((value) => native.done(leaving(value)))
        .catch(failed)
    },
    /** Answers what was asked. */
    settle(id, problem, head, body) {
      const { resolve, reject } = waiting.get(id)
      waiting.delete(id)
      if (problem === undefined) return resolve({ ...JSON.parse(head), body })
      const { message, key, status } = JSON.parse(problem)
      const response = status === null ? undefined : { status }
      reject(Object.assign(new Error(message), { key: key ?? undefined, response }))
    },
  }
})
