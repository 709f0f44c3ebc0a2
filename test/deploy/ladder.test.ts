import { describe, expect, it } from 'vitest'
import type { Facts } from '../../deploy/local/ladder.ts'
import { chooseRung, isDecidedByEnv } from '../../deploy/local/ladder.ts'

const nothing: Facts = {
  env: {},
  dockerAnswers: false,
  javaVersion: null,
  mavenAnswers: false,
  jarsCached: false,
}
const everything: Facts = {
  env: {},
  dockerAnswers: true,
  javaVersion: 21,
  mavenAnswers: true,
  jarsCached: true,
}
const given = { KAFKA_BROKERS: 'a:9092,b:9092', SCHEMA_REGISTRY_URL: 'http://c:8081' }

function messageOf(facts: Facts): string {
  const choice = chooseRung(facts)
  if (choice.rung !== 'none') throw new Error(`the rung is ${choice.rung}`)
  return choice.message
}

describe('the ladder', () => {
  it('takes what the user names before everything else', () => {
    const rung = { rung: 'given', brokers: 'a:9092,b:9092', registry: 'http://c:8081' }
    expect(chooseRung({ ...everything, env: given })).toEqual(rung)
    expect(chooseRung({ ...nothing, env: given })).toEqual(rung)
  })

  it('hands out a registry address without spaces and without a slash at the end', () => {
    const env = { KAFKA_BROKERS: ' a:1 ', SCHEMA_REGISTRY_URL: ' http://c:8081/apis// ' }
    expect(chooseRung({ ...nothing, env })).toEqual({
      rung: 'given',
      brokers: 'a:1',
      registry: 'http://c:8081/apis',
    })
  })

  it('refuses one of the two variables alone, whatever else there is, and says which is missing', () => {
    expect(messageOf({ ...everything, env: { KAFKA_BROKERS: 'a:1' } })).toBe(
      'KAFKA_BROKERS is set but SCHEMA_REGISTRY_URL is not: set both, or neither',
    )
    expect(messageOf({ ...everything, env: { SCHEMA_REGISTRY_URL: 'http://c' } })).toBe(
      'SCHEMA_REGISTRY_URL is set but KAFKA_BROKERS is not: set both, or neither',
    )
  })

  it('takes an empty variable for an unset one', () => {
    const env = { KAFKA_BROKERS: ' ', SCHEMA_REGISTRY_URL: '' }
    expect(chooseRung({ ...everything, env })).toEqual({ rung: 'docker' })
    expect(isDecidedByEnv(env)).toBe(false)
    expect(isDecidedByEnv({ SCHEMA_REGISTRY_URL: 'http://c' })).toBe(true)
  })

  it('takes Docker before Java when an engine answers', () => {
    expect(chooseRung(everything)).toEqual({ rung: 'docker' })
  })

  it('takes Java 17 or later with Maven, or with the jars in the cache', () => {
    const java: Facts = { ...nothing, javaVersion: 17 }
    expect(chooseRung({ ...java, mavenAnswers: true })).toEqual({ rung: 'java' })
    expect(chooseRung({ ...java, jarsCached: true })).toEqual({ rung: 'java' })
  })

  it.each<[string, Partial<Facts>, string]>([
    ['nothing at all', {}, '(no java was found, no mvn was found)'],
    ['an old Java', { javaVersion: 11, mavenAnswers: true }, '(java is version 11)'],
    ['an old Java alone', { javaVersion: 16 }, '(java is version 16, no mvn was found)'],
    ['no Java but Maven', { mavenAnswers: true }, '(no java was found)'],
    ['no Java but the jars', { jarsCached: true }, '(no java was found)'],
    ['Java without Maven and jars', { javaVersion: 17 }, '(no mvn was found)'],
  ])('with %s, names the three ways and what is lacking', (_, facts, lacking) => {
    const message = messageOf({ ...nothing, ...facts })
    expect(message).toMatch(/set KAFKA_BROKERS and SCHEMA_REGISTRY_URL.*Docker.*Java 17/)
    expect(message).toContain(lacking)
    expect(message).not.toContain('\n')
  })
})
