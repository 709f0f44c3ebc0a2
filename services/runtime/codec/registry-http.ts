import { isTidemarkError, tidemarkError } from '../errors.ts'
import type { Breaker } from './breaker.ts'

export interface RegistryAuth {
  readonly username: string
  readonly password: string
}

export interface RegistryAddress {
  /** Without credentials and without a slash at the end. */
  readonly url: string
  readonly auth: RegistryAuth | undefined
}

/** What the registry answered: a status below 500 with the JSON of its body (undefined when it is not JSON). */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Credentials may be given in the address; both clients want them apart. @throws TM_CONFIG when it is no URL */
export function registryAddress(text: string, auth?: RegistryAuth): RegistryAddress {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw tidemarkError('TM_CONFIG', 'the address of the schema registry is not a URL')
  }
  const inUrl =
    url.username === ''
      ? undefined
      : { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  url.username = ''
  url.password = ''
  return { url: url.href.replace(/\/+$/, ''), auth: auth ?? inUrl }
}

/**
 * One call of the registry's REST interface, for what the client library leaves out.
 * @throws TM_REGISTRY_AWAY (retriable) on no answer, a timeout, or a status that speaks of the server
 */
export async function ask(
  { url, auth }: RegistryAddress,
  timeoutMs: number,
  method: 'GET' | 'PUT' | 'POST',
  path: string,
  body?: unknown,
): Promise<Answer> {
  const headers: Record<string, string> = {
    accept: 'application/vnd.schemaregistry.v1+json, application/json',
  }
  if (body !== undefined) headers['content-type'] = 'application/vnd.schemaregistry.v1+json'
  if (auth !== undefined)
    headers.authorization = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`
  const payload = body === undefined ? {} : { body: JSON.stringify(body) }
  try {
    const response = await fetch(`${url}${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(timeoutMs),
      ...payload,
    })
    const text = await response.text()
    refuseServerFault(response.status, `${method} ${path}`)
    return { status: response.status, body: parsed(text) }
  } catch (error) {
    throw isTidemarkError(error) ? error : tidemarkError('TM_REGISTRY_AWAY', `${method} ${path}`, error)
  }
}

/** @throws TM_REGISTRY_AWAY for a status that says "not now", TM_CONFIG for one that says "not you" */
export function refuseServerFault(status: number, what: string): void {
  if (status >= 500 || status === 408 || status === 429)
    throw tidemarkError('TM_REGISTRY_AWAY', `${what} gave ${status}`)
  if (status === 401 || status === 403)
    throw tidemarkError('TM_CONFIG', `the schema registry refuses the credentials (${status})`)
}

/** Calls through the breaker: only an outage counts as a failure. @throws TM_REGISTRY_AWAY at once while it is open */
export async function guardedBy<T>(breaker: Breaker, call: () => Promise<T>): Promise<T> {
  if (!breaker.closed)
    throw tidemarkError('TM_REGISTRY_AWAY', 'it failed a moment ago, and is not asked again yet')
  try {
    const result = await call()
    breaker.succeeded()
    return result
  } catch (error) {
    if (isTidemarkError(error) && error.code === 'TM_REGISTRY_AWAY') breaker.failed()
    else breaker.succeeded()
    throw error
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
