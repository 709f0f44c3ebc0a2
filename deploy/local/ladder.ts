/** What is known about this machine when a broker is wanted. */
export interface Facts {
  readonly env: Readonly<Record<string, string | undefined>>
  /** A Docker engine answered. */
  readonly dockerAnswers: boolean
  /** Major version of the Java found (17, 21, …), null when there is none. */
  readonly javaVersion: number | null
  readonly mavenAnswers: boolean
  /** The jars of the checked-in pom are already in the cache, so that Maven is not needed. */
  readonly jarsCached: boolean
}

export type Rung =
  | { readonly rung: 'given'; readonly brokers: string; readonly registry: string }
  | { readonly rung: 'docker' }
  | { readonly rung: 'java' }
  | { readonly rung: 'none'; readonly message: string }

/** Kafka 4 does not start on an older one. */
export const leastJava = 17

/**
 * Decides where Kafka and the schema registry come from, best first: what the user names, Docker, Java.
 * An empty variable counts as unset. Naming one of the two variables alone is refused and not completed from
 * another rung: a registry that does not belong to the broker would give ids that nobody else can read.
 */
export function chooseRung(facts: Facts): Rung {
  const brokers = facts.env.KAFKA_BROKERS?.trim()
  const registry = facts.env.SCHEMA_REGISTRY_URL?.trim().replace(/\/+$/, '')
  if (brokers && registry) return { rung: 'given', brokers, registry }
  if (brokers) return halfGiven('KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL')
  if (registry) return halfGiven('SCHEMA_REGISTRY_URL', 'KAFKA_BROKERS')
  if (facts.dockerAnswers) return { rung: 'docker' }
  const lacks = whatJavaLacks(facts)
  if (lacks === null) return { rung: 'java' }
  return {
    rung: 'none',
    message: `there are three ways: set KAFKA_BROKERS and SCHEMA_REGISTRY_URL (neither is set); or start a Docker engine (none answers); or install Java ${leastJava} or later and Maven (${lacks})`,
  }
}

/** True when the environment alone decides, so that nothing needs to be probed. */
export function isDecidedByEnv(env: Facts['env']): boolean {
  return Boolean(env.KAFKA_BROKERS?.trim() || env.SCHEMA_REGISTRY_URL?.trim())
}

function halfGiven(set: string, unset: string): Rung {
  return { rung: 'none', message: `${set} is set but ${unset} is not: set both, or neither` }
}

function whatJavaLacks({ javaVersion, mavenAnswers, jarsCached }: Facts): string | null {
  const maven = mavenAnswers || jarsCached ? null : 'no mvn was found'
  if (javaVersion === null) return ['no java was found', maven].filter(Boolean).join(', ')
  if (javaVersion < leastJava) return [`java is version ${javaVersion}`, maven].filter(Boolean).join(', ')
  return maven
}
