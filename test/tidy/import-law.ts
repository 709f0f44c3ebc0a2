import { importsOf, type TextFile } from './files.ts'

/** What one part of the repository may import of the rest and of Node. The first law whose `of` fits a file rules it. */
interface Law {
  readonly name: string
  readonly of: RegExp
  readonly may: RegExp
}

/**
 * DESIGN §4: domain → nothing; topologies → domain, schemas; runtime → the domain's operator and time types, schemas;
 * a stage → domain, runtime, topologies, schemas, never another stage. Services meet only in topics, and in the driver
 * that users test with.
 */
const laws: readonly Law[] = [
  { name: 'domain → nothing', of: /^services\/domain\//, may: /^services\/domain\// },
  {
    name: 'the files of topologies that read files → topologies, domain, schemas, node',
    of: /^topologies\/(load|canonical)\.ts$/,
    may: /^(services\/domain|schemas|topologies)\/|^node:(crypto|fs|module|path|url)$/,
  },
  {
    name: 'topologies → domain, schemas',
    of: /^topologies\/[^/]+\.ts$|^topologies\/compile\//,
    may: /^(services\/domain|schemas|topologies)\//,
  },
  {
    name: 'the test of a topology → the driver, the language, and the files beside it',
    of: /^topologies\/[^/]+\/.*\.test\.ts$/,
    may: /^topologies\/|^node:(assert\/strict|test|fs|path|url)$/,
  },
  {
    name: 'a topology and its demo → the language, domain, and the files beside it',
    of: /^topologies\/[^/]+\//,
    may: /^(services\/domain|topologies)\/|^node:(fs|path|url)$/,
  },
  { name: 'schemas → schemas', of: /^schemas\//, may: /^schemas\/|^node:(fs|path|url)$/ },
  {
    name: "runtime → the domain's operator and the records it accepts, schemas",
    of: /^services\/runtime\//,
    may: /^services\/runtime\/|^schemas\/|^services\/domain\/(operator|event\/accept)\.ts$|^node:/,
  },
  {
    name: 'the composition → topologies, runtime',
    of: /^services\/composition\.ts$/,
    may: /^topologies\/|^services\/runtime\//,
  },
  { name: 'cli → anything but tests', of: /^services\/cli\//, may: /^(?!test\/)/ },
  {
    name: 'testing → the stages and what they are made of, never the command line',
    of: /^services\/testing\//,
    may: /^services\/(domain|runtime|features|predictions|outcomes|reports|composition\.ts)|^topologies\/|^schemas\/|^node:(fs|path|url)$/,
  },
  {
    name: 'a stage → domain, runtime, topologies, schemas, never another stage',
    of: /^services\/([a-z-]+)\//,
    may: /^services\/(domain|runtime|composition\.ts)|^topologies\/|^schemas\/|^node:(fs|path)$/,
  },
  {
    name: 'deploy → topologies, runtime',
    of: /^deploy\//,
    may: /^deploy\/|^topologies\/|^services\/runtime\/|^node:/,
  },
]

/** Every package has a home and is imported there only, so that another could take its place. */
const homes: Readonly<Record<string, RegExp>> = {
  kafkajs: /^services\/runtime\/kafka\//,
  'lz4-napi': /^services\/runtime\/kafka\//,
  snappy: /^services\/runtime\/kafka\//,
  avsc: /^services\/runtime\/codec\//,
  '@kafkajs/confluent-schema-registry': /^services\/runtime\/codec\//,
  'classic-level': /^services\/runtime\/store\//,
  'onnxruntime-node': /^services\/runtime\/model\//,
  pino: /^services\/runtime\/log\.ts$/,
  'prom-client': /^services\/runtime\/metrics\.ts$/,
  commander: /^services\/cli\//,
  'csv-parse': /^services\/cli\//,
  testcontainers: /^deploy\/local\//,
  'simple-statistics': /^services\/cli\//,
  tidemark: /^topologies\/[^/]+\//,
}

/** What a file imports against the law, one line each. Tests may import anything. */
export function breaches(file: TextFile): string[] {
  const law = laws.find(({ of }) => of.test(file.path))
  if (law === undefined) return []
  const own = /^services\/[a-z-]+\//.exec(file.path)?.[0]
  return importsOf(file).flatMap((target) => {
    if (!isOurs(target) && !target.startsWith('node:')) return strangers(file.path, target)
    if (own !== undefined && target.startsWith(own)) return []
    return law.may.test(target) ? [] : [`${file.path} imports ${target}, but: ${law.name}`]
  })
}

function isOurs(target: string): boolean {
  return /^(services|schemas|topologies|deploy|test)\//.test(target)
}

function strangers(path: string, target: string): string[] {
  const name = target.split('/', target.startsWith('@') ? 2 : 1).join('/')
  if (Object.hasOwn(homes, name) && homes[name]!.test(path)) return []
  return [`${path} imports the package ${name}, which is not at home there`]
}
