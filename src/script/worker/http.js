// The HTTP clients of a script: thin shims over `ask`, which the parent answers. Gives the built-in modules and the clients
// of the connection.
(function (native, ask) {
  'use strict'

  const FORM = 'application/x-www-form-urlencoded'
  const isAbsolute = (url) => /^[a-z][a-z0-9+.-]*:\/\//i.test(url)
  const joined = (base, path) =>
    isAbsolute(path) || !base ? path : path ? `${base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}` : base
  const lowered = (headers) =>
    Object.fromEntries(
      Object.entries(headers ?? {})
        .filter(([, value]) => value !== undefined && value !== null && value !== false)
        .map(([name, value]) => [name.toLowerCase(), String(value)]),
    )
  const basic = ({ username = '', password = '' }) => `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

  // `{a: {b: 1}, c: [2]}` is `a[b]=1&c[]=2`, as axios writes it; `list` says what stands behind the name of a list.
  const pairsOf = (params, list) => {
    if (params instanceof URLSearchParams) return [...params]
    const pairs = []
    const add = (name, value) => {
      if (value === undefined || value === null) return
      if (Array.isArray(value)) for (const item of value) add(name + list, item)
      else if (value instanceof Date) pairs.push([name, value.toISOString()])
      else if (typeof value === 'object') for (const [key, item] of Object.entries(value)) add(`${name}[${key}]`, item)
      else pairs.push([name, value])
    }
    for (const [name, value] of Object.entries(params ?? {})) add(name, value)
    return pairs
  }
  const withQuery = (url, params, list) => {
    const query = new URLSearchParams(pairsOf(params, list)).toString()
    if (!query) return url
    const [before] = url.split('#')
    return `${before}${before.includes('?') ? '&' : '?'}${query}`
  }

  /** The body as text or bytes; says its type where the caller did not. */
  const encoded = (data, headers) => {
    if (data === undefined || data === null) return undefined
    if (data instanceof ArrayBuffer) return new Uint8Array(data)
    if (data instanceof Uint8Array) return data
    if (data instanceof URLSearchParams) {
      headers['content-type'] ??= FORM
      return data.toString()
    }
    if (typeof data === 'string') return data
    if (headers['content-type']?.startsWith(FORM)) return new URLSearchParams(pairsOf(data, '[]')).toString()
    headers['content-type'] ??= 'application/json'
    return JSON.stringify(data)
  }
  // An answer's body is text, or bytes where it is not UTF-8.
  const textOf = (body) => (typeof body === 'string' ? body : Buffer.from(body).toString())
  const decoded = (body, type) => {
    if (type === 'arraybuffer') return Buffer.from(body)
    const text = textOf(body)
    if (type === 'text') return text
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }
  const send = async (request, headers, body) => {
    const response = await ask('http', { ...request, headers: Object.entries(headers) }, body)
    const seen = {}
    for (const [name, value] of response.headers) seen[name] = name in seen ? `${seen[name]}, ${value}` : value
    return { status: response.status, headers: seen, body: response.body }
  }
  const unsupported = (options, names, who) => {
    for (const name of names) {
      if (options[name]) throw new Error(`${who} has no ${name} in Sidegate`)
    }
  }

  class Headers {
    #values = new Map()
    constructor(from = {}) {
      for (const [name, value] of from[Symbol.iterator] ? from : Object.entries(from)) this.set(name, value)
    }
    get(name) {
      return this.#values.get(name.toLowerCase()) ?? null
    }
    has(name) {
      return this.#values.has(name.toLowerCase())
    }
    set(name, value) {
      this.#values.set(name.toLowerCase(), String(value))
    }
    append(name, value) {
      this.set(name, this.has(name) ? `${this.get(name)}, ${value}` : value)
    }
    delete(name) {
      this.#values.delete(name.toLowerCase())
    }
    forEach(action) {
      this.#values.forEach((value, name) => action(value, name, this))
    }
    entries() {
      return this.#values.entries()
    }
    [Symbol.iterator]() {
      return this.entries()
    }
  }
  globalThis.Headers = Headers
  globalThis.fetch = async (url, { method = 'GET', headers: given, body } = {}) => {
    const headers = Object.fromEntries(new Headers(given))
    if (typeof body === 'string') headers['content-type'] ??= 'text/plain;charset=UTF-8'
    const isObject = typeof body === 'object' && body !== null
    if (isObject && !(body instanceof URLSearchParams || body instanceof Uint8Array || body instanceof ArrayBuffer)) {
      throw new TypeError('fetch takes text, URLSearchParams or bytes as body: use JSON.stringify')
    }
    const request = { client: 'open', method: method.toUpperCase(), url: String(url) }
    const response = await send(request, headers, encoded(body, headers))
    return {
      status: response.status,
      ok: response.status >= 200 && response.status < 300,
      statusText: '',
      url: request.url,
      redirected: false,
      headers: new Headers(response.headers),
      text: async () => textOf(response.body),
      json: async () => JSON.parse(textOf(response.body)),
      arrayBuffer: async () => Buffer.from(response.body).buffer,
    }
  }

  class AxiosError extends Error {
    constructor(message, code, config, request, response) {
      super(message)
      Object.assign(this, { name: 'AxiosError', code, config, response, status: response?.status, isAxiosError: true })
    }
  }
  const FOREIGN = ['adapter', 'httpAgent', 'httpsAgent', 'paramsSerializer', 'proxy', 'transformRequest', 'transformResponse']
  const axiosOf = (defaults) => {
    const request = async (first, second) => {
      const given = typeof first === 'string' ? { ...second, url: first } : { ...first }
      const config = { ...defaults, ...given }
      unsupported(config, FOREIGN, 'axios')
      const headers = { ...lowered(defaults.headers), ...lowered(given.headers) }
      headers.accept ??= 'application/json, text/plain, */*'
      if (config.auth) headers.authorization = basic(config.auth)
      const params = given.params instanceof URLSearchParams ? given.params : { ...defaults.params, ...given.params }
      const url = withQuery(joined(config.baseURL, config.url ?? ''), params, '[]')
      const method = (config.method ?? 'get').toUpperCase()
      const answer = await send({ client: 'open', method, url }, headers, encoded(config.data, headers))
      const response = {
        status: answer.status,
        statusText: '',
        headers: answer.headers,
        data: decoded(answer.body, config.responseType),
        config,
      }
      const isValid = config.validateStatus === undefined ? (status) => status >= 200 && status < 300 : config.validateStatus
      if (isValid && !isValid(response.status)) {
        const code = response.status >= 500 ? 'ERR_BAD_RESPONSE' : 'ERR_BAD_REQUEST'
        throw new AxiosError(`Request failed with status code ${response.status}`, code, config, undefined, response)
      }
      return response
    }
    const client = (first, second) => request(first, second)
    client.request = request
    client.defaults = defaults
    client.create = (more = {}) => axiosOf({ ...defaults, ...more })
    for (const method of ['get', 'delete', 'head', 'options']) {
      client[method] = (url, config) => request({ ...config, method, url })
    }
    for (const method of ['post', 'put', 'patch']) {
      client[method] = (url, data, config) => request({ ...config, method, url, data })
    }
    return client
  }
  const axios = axiosOf({ headers: {} })
  axios.AxiosError = AxiosError
  axios.isAxiosError = (error) => error?.isAxiosError === true
  axios.default = axios
  globalThis.axios = axios

  // The errors of the vendor's SDK: text, or an object with message, key and data.
  class IntegrationAppError extends Error {
    constructor(about) {
      const { message, key, data } = typeof about === 'string' ? { message: about } : about ?? {}
      super(message)
      Object.assign(this, { name: new.target.name, key, data })
    }
  }
  class ConnectionError extends IntegrationAppError {}
  class BadRequestError extends IntegrationAppError {}
  class NotFoundError extends IntegrationAppError {}
  class AccessDeniedError extends IntegrationAppError {}
  class InternalError extends IntegrationAppError {}
  const ConnectionErrorKey = Object.freeze({
    ACCESS_TOKEN_EXPIRED: 'access_token_expired',
    CONNECTION_IS_DEFUNCT: 'connection_is_defunct',
    RATE_LIMIT_EXCEEDED: 'rate_limit_exceeded',
  })
  const keyOf = { 401: 'access_token_expired', 429: 'rate_limit_exceeded' }

  const NOT_CARRIED = ['dynamicOptions', 'overrides', 'httpsAgent', 'proxyUri']
  class ApiClient {
    #options
    #client
    constructor(options, client) {
      unsupported(options, NOT_CARRIED, 'the REST client')
      this.#options = options
      this.#client = client
    }
    get(path, query, options) {
      return this.#request('GET', path, undefined, { ...options, query: { ...options?.query, ...query } })
    }
    post(path, data, options) {
      return this.#request('POST', path, data, options)
    }
    put(path, data, options) {
      return this.#request('PUT', path, data, options)
    }
    patch(path, data, options) {
      return this.#request('PATCH', path, data, options)
    }
    delete(path, data, options) {
      return this.#request('DELETE', path, data, options)
    }
    async #request(method, path, data, given = {}) {
      unsupported(given, NOT_CARRIED, 'the REST client')
      const own = this.#options
      const options = { ...own, ...given }
      const headers = { ...lowered(own.headers), ...lowered(given.headers) }
      headers.accept ??= 'application/json'
      if (options.auth) headers.authorization = basic(options.auth)
      const base = options.baseUri ?? options.baseUrl
      const url = withQuery(joined(base, String(path ?? '')), { ...own.query, ...given.query }, '')
      const answer = await send({ client: this.#client, method, url }, headers, encoded(data, headers))
      const { status } = answer
      const response = {
        status,
        statusCode: status,
        headers: answer.headers,
        data: decoded(answer.body, options.responseType),
      }
      if (status >= 200 && status < 300) return options.returnFullResponse ? response : response.data
      const about = { message: `The API answered ${status}`, key: keyOf[status], data: { status, data: response.data } }
      const error = Object.assign(new ConnectionError(about), { response })
      await options.onError?.(error)
      throw error
    }
    /** What `makeApiClient` gives; functions stay behind. */
    toJSON() {
      return this.#options
    }
  }
  class RestApiClient extends ApiClient {
    constructor(options = {}) {
      super(options, 'open')
    }
  }

  const errors = {
    IntegrationAppError,
    ConnectionError,
    BadRequestError,
    NotFoundError,
    AccessDeniedError,
    InternalError,
    ConnectionErrorKey,
  }
  const modules = {
    axios,
    '@integration-app/connector-sdk': { RestApiClient, ...errors },
    '@integration-app/sdk/errors': errors,
  }
  globalThis.require = (name) => {
    if (!Object.hasOwn(modules, name)) native.missing(String(name))
    return modules[name]
  }

  const connection = new ApiClient({}, 'connection')
  return { apiClient: connection, externalApiClient: connection }
})
