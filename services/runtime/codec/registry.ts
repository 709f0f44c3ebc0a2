import { COMPATIBILITY, SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import type { Compatibility } from '../../../schemas/catalogue.ts'
import { tidemarkError } from '../errors.ts'
import { createBreaker } from './breaker.ts'
import type { Answer, RegistryAuth } from './registry-http.ts'
import { ask, guardedBy, refuseServerFault, registryAddress } from './registry-http.ts'
import type { SchemaSource, StoredSchema } from './schema-cache.ts'
import { createSchemaCache } from './schema-cache.ts'

/**
 * A schema registry with Confluent's interface. Every method throws TM_REGISTRY_AWAY (retriable) when it does not
 * answer, and TM_CONFIG when it refuses the credentials.
 */
export interface Registry extends SchemaSource {
  /**
   * Sets the subject's compatibility and registers the schema; doing it again changes nothing.
   * @returns the schema's id @throws TM_SCHEMA when the schema is not compatible with the subject's earlier ones
   */
  register(subject: string, schema: object, compatibility: Compatibility): Promise<number>
  /** The id of exactly this schema under a subject: the one to write with. Undefined when it is not registered. */
  idOf(subject: string, schema: object): Promise<number | undefined>
  /** The id of the newest schema under a subject: to look at, never to write an older schema's bytes with. */
  latestId(subject: string): Promise<number | undefined>
  /** The subject's own compatibility level; undefined when it has none. */
  compatibilityOf(subject: string): Promise<string | undefined>
  /** What `register` would do. */
  plan(subject: string, schema: object, compatibility: Compatibility): Promise<SchemaPlan>
}

/** create: no such subject; keep: nothing to do; change: a new version or level; refuse: not compatible. */
export interface SchemaPlan {
  readonly action: 'create' | 'keep' | 'change' | 'refuse'
  readonly detail: string
}

interface RegistryOptions {
  /** Used before credentials in the address. */
  readonly auth?: RegistryAuth
  /** Longest wait for one answer. @default 5000 */
  readonly timeoutMs?: number
  readonly clientId?: string
}

type Client = Pick<SchemaRegistry, 'register' | 'getSchema' | 'getRegistryIdBySchema' | 'getLatestSchemaId'>
type Ask = (method: 'GET' | 'PUT' | 'POST', path: string, body?: unknown) => Promise<Answer>

/**
 * A client for the registry at an address, credentials allowed in it. Nothing is sent yet; before the first question it
 * makes sure that a schema registry answers there, because a wrong path would look like unknown ids.
 * @throws TM_CONFIG when the address is no URL; every method, when something else answers there
 */
export function connectRegistry(address: string, options: RegistryOptions = {}): Registry {
  const { timeoutMs = 5000, clientId = 'tidemark' } = options
  const { url, auth } = registryAddress(address, options.auth)
  const rest: Ask = (method, path, body) => ask({ url, auth }, timeoutMs, method, path, body)
  const client = new SchemaRegistry({
    host: url,
    clientId,
    retry: { retries: 2 },
    middlewares: [timeoutMiddleware(timeoutMs)],
    ...(auth === undefined ? {} : { auth: { ...auth } }),
  })
  const breaker = createBreaker()
  let known = false
  const call = <T>(question: () => Promise<T>): Promise<T> =>
    guardedBy(breaker, async () => {
      if (!known) await assertRegistry(rest, url)
      known = true
      return question()
    })
  const cache = createSchemaCache((id) => call(() => loadSchema(client, rest, id)))
  return {
    ...cache,
    register: (subject, schema, compatibility) =>
      call(() => register(client, rest, subject, schema, compatibility)),
    idOf: (subject, schema) => call(() => idOf(rest, subject, schema)),
    latestId: (subject) => call(() => unlessMissing(() => client.getLatestSchemaId(subject))),
    compatibilityOf: (subject) => call(() => compatibilityOf(rest, subject)),
    plan: (subject, schema, compatibility) => call(() => plan(client, rest, subject, schema, compatibility)),
  }
}

async function assertRegistry(rest: Ask, url: string): Promise<void> {
  const { status, body } = await rest('GET', '/subjects')
  if (Array.isArray(body)) return
  // A proxy's page in place of an answer passes; an address where nothing of the kind lives does not.
  const code = status === 404 ? 'TM_CONFIG' : 'TM_REGISTRY_AWAY'
  throw tidemarkError(code, `no schema registry answers at ${url} (${status})`)
}

/**
 * 1. Bring an existing level to ours: the library's register() throws when they differ.
 * 2. Register; the library sets the level itself when the subject has none yet.
 */
async function register(
  client: Client,
  rest: Ask,
  subject: string,
  schema: object,
  compatibility: Compatibility,
): Promise<number> {
  const level = await compatibilityOf(rest, subject)
  if (level !== undefined && level !== compatibility) {
    const answer = await rest('PUT', `/config/${encodeURIComponent(subject)}`, { compatibility })
    if (answer.status !== 200)
      throw tidemarkError('TM_TOPICS', `compatibility of ${subject} cannot be set (${answer.status})`)
  }
  const registered = await translated(subject, () =>
    client.register(asAvro(schema), { subject, compatibility: COMPATIBILITY[compatibility] }),
  )
  return registered.id
}

async function plan(
  client: Client,
  rest: Ask,
  subject: string,
  schema: object,
  compatibility: Compatibility,
): Promise<SchemaPlan> {
  const latest = await unlessMissing(() => client.getLatestSchemaId(subject))
  if (latest === undefined) return { action: 'create', detail: compatibility }
  const level = await compatibilityOf(rest, subject)
  if ((await idOf(rest, subject, schema)) !== undefined) {
    if (level === compatibility) return { action: 'keep', detail: compatibility }
    return { action: 'change', detail: `compatibility ${level ?? 'unset'} becomes ${compatibility}` }
  }
  const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions/latest`
  const { status, body } = await rest('POST', path, { schema: JSON.stringify(schema) })
  const fits = status === 200 && (body as { is_compatible?: unknown }).is_compatible === true
  return fits
    ? { action: 'change', detail: 'a new version' }
    : { action: 'refuse', detail: `not ${level ?? compatibility}` }
}

/** Asked directly: the library takes any page for an answer, and what is no answer for "not registered". */
async function idOf(rest: Ask, subject: string, schema: object): Promise<number | undefined> {
  const path = `/subjects/${encodeURIComponent(subject)}`
  const { status, body } = await rest('POST', path, { schema: JSON.stringify(schema), schemaType: 'AVRO' })
  const { id, error_code: code } = (body ?? {}) as { id?: unknown; error_code?: unknown }
  if (status === 200 && Number.isSafeInteger(id)) return id as number
  if (status === 404 && missingCodes.has(code as number)) return undefined
  throw tidemarkError('TM_REGISTRY_AWAY', `POST ${path} gave ${status}, but not from a registry`)
}

// Confluent's codes for "subject not found", "version not found" and "schema not found"; Apicurio uses the same.
const missingCodes = new Set([40401, 40402, 40403])

async function compatibilityOf(rest: Ask, subject: string): Promise<string | undefined> {
  const { status, body } = await rest('GET', `/config/${encodeURIComponent(subject)}`)
  const level = (body as { compatibilityLevel?: unknown } | undefined)?.compatibilityLevel
  return status === 200 && typeof level === 'string' ? level.toUpperCase() : undefined
}

// Confluent's codes for "schema not found" and "version not found"; Apicurio uses the same.
const notFoundCodes = new Set([40402, 40403])

async function loadSchema(client: Client, rest: Ask, id: number): Promise<StoredSchema> {
  const stored = await askForSchema(client, id)
  if (stored !== undefined) return stored
  // A proxy's 404 or greeting must not turn good records into dead letters, and the library hides what the body says.
  const { status, body } = await rest('GET', `/schemas/ids/${id}`)
  if (status === 200 && typeof (body as { schema?: unknown } | undefined)?.schema === 'string')
    return (await askForSchema(client, id)) ?? { known: false, detail: `schema ${id} cannot be read` }
  if (notFoundCodes.has((body as { error_code?: number } | undefined)?.error_code ?? 0))
    return { known: false, detail: `schema ${id} is not in the registry` }
  throw tidemarkError('TM_REGISTRY_AWAY', `GET /schemas/ids/${id} gave ${status}, but not from a registry`)
}

/** Undefined when there is no such schema, or when what was answered is none. */
async function askForSchema(client: Client, id: number): Promise<StoredSchema | undefined> {
  try {
    return storedSchema(id, await client.getSchema(id))
  } catch (error) {
    const status = statusOf(error)
    if (status !== undefined && status !== 404) throw outage(status, error)
    return undefined
  }
}

/** The library resolves references between schemas; what it parsed is written out again, self-contained. */
function storedSchema(id: number, parsed: unknown): StoredSchema {
  if (typeof parsed === 'object' && parsed !== null && 'typeName' in parsed && 'schema' in parsed) {
    const type = parsed as { schema(options: { exportAttrs: boolean }): unknown }
    return { known: true, schema: JSON.parse(JSON.stringify(type.schema({ exportAttrs: true }))) }
  }
  return { known: false, detail: `schema ${id} is not an Avro schema` }
}

async function unlessMissing(call: () => Promise<number>): Promise<number | undefined> {
  try {
    const id: unknown = await call()
    if (Number.isSafeInteger(id)) return id as number
    throw tidemarkError('TM_REGISTRY_AWAY', 'an answer that is not from a registry')
  } catch (error) {
    const status = statusOf(error)
    if (status === 404) return undefined
    throw status === undefined ? error : outage(status, error)
  }
}

async function translated<T>(subject: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const status = statusOf(error)
    if (status === undefined) throw error
    if (status === 409) throw tidemarkError('TM_SCHEMA', subject, error)
    if (status === 422)
      throw tidemarkError('TM_SCHEMA', `the registry refuses the schema of ${subject}`, error)
    throw outage(status, error)
  }
}

/** The library gives 400 to a connection that failed. */
function outage(status: number, error: unknown): Error {
  refuseServerFault(status === 400 ? 503 : status, 'the schema registry')
  return tidemarkError('TM_REGISTRY_AWAY', (error as Error).message, error)
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'status' in error && typeof error.status === 'number'
    ? error.status
    : undefined
}

type Middleware = NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]['middlewares']>[number]

/** Without it, a registry that accepts a connection and says nothing would hold us for ever. */
function timeoutMiddleware(timeoutMs: number): Middleware {
  return () => ({
    prepareRequest: async (next) => (await next()).enhance({ timeout: timeoutMs }),
  })
}

/** The library's type is narrower than what it takes: any Avro schema as JSON. */
function asAvro(schema: object): Parameters<Client['getRegistryIdBySchema']>[1] & { type: 'record' } {
  return schema as ReturnType<typeof asAvro>
}
