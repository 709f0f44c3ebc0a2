import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import packageJson from '../package.json' with { type: 'json' }
import { catalogue } from '../schemas/catalogue.ts'
import { applyCommand } from '../services/cli/apply.ts'
import { backfillCommand } from '../services/cli/backfill.ts'
import { brokerCommand } from '../services/cli/broker.ts'
import { deadLettersCommand } from '../services/cli/dead-letters.ts'
import { devCommand } from '../services/cli/dev.ts'
import { planCommand } from '../services/cli/plan.ts'
import { produceCommand } from '../services/cli/produce.ts'
import { profileCommand } from '../services/cli/profile.ts'
import { startCommand } from '../services/cli/start.ts'
import { tailCommand } from '../services/cli/tail.ts'
import { errorTable } from '../services/runtime/errors.ts'
import { topicKinds } from '../topologies/topics.ts'
import { root, textFiles } from './tidy/files.ts'

const files = new Map(textFiles().map(({ path, text }) => [path, text]))
const papers = [...files].filter(([path]) => path.endsWith('.md'))
const read = (path: string): string => files.get(path) ?? expect.unreachable(`${path} is missing`)
const readme = read('README.md')
const runbook = read('deploy/RUNBOOK.md')
const inOneLine = (text: string): string => text.replaceAll(/\s+/g, ' ')

const commands = [
  ...[devCommand(), brokerCommand({}), planCommand(), applyCommand(), startCommand()],
  ...[produceCommand(), tailCommand(), deadLettersCommand(), backfillCommand(), profileCommand()],
]

/** Lines and quoted code in which a command stands, with everything up to their end. */
function commandsIn(text: string): string[][] {
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!)
  const lines = [...text.matchAll(/^(?:npm|npx|node) .*$/gm)].map(([line]) => line)
  return [...quoted, ...lines].map((code) => code.trim().split(/\s+/))
}

/** The words after `tidemark`, however it is called; `npm start` is `dev`. */
function tidemarkCall(words: readonly string[]): readonly string[] | undefined {
  if (words[0] === 'tidemark') return words.slice(1)
  if (words.join(' ').startsWith('npm run -s tidemark -- ')) return words.slice(5)
  return words[0] === 'npm' && words[1] === 'start' ? ['dev', ...words.slice(3)] : undefined
}

/** What is wrong with a call; placeholders such as `<command>` are not looked at. */
function wrongIn([name = '', ...rest]: readonly string[]): string[] {
  if (name === '' || name.startsWith('<') || name === '--help') return []
  let command: Command | undefined = commands.find((each) => each.name() === name)
  if (command === undefined) return [`no command is called ${name}`]
  const below = command.commands.find((each) => each.name() === rest[0])
  if (command.commands.length > 0 && rest.length > 0 && below === undefined)
    return [`${name} has no ${rest[0]}`]
  command = below ?? command
  const known = command.options.map(({ long }) => long)
  const unknown = rest.filter((word) => word.startsWith('--') && !known.includes(word) && word !== '--help')
  return unknown.map((option) => `${name} has no option ${option}`)
}

describe('a command in the papers', () => {
  it.each(papers)('%s: exists, with its options', (_, text) => {
    const calls = commandsIn(text)
      .map(tidemarkCall)
      .filter((call) => call !== undefined)
    expect(calls.flatMap(wrongIn)).toEqual([])
  })

  it.each(papers)('%s: is a script of the package when npm runs it', (_, text) => {
    const scripts = commandsIn(text).flatMap((words) => {
      if (words[0] !== 'npm') return []
      return words[1] === 'run' ? [words[2] === '-s' ? words[3] : words[2]] : [words[1]]
    })
    const known = [...Object.keys(packageJson.scripts), 'ci']
    expect(scripts.filter((script) => !known.includes(script ?? ''))).toEqual([])
  })

  it.each(papers)('%s: names files that are there when node or a shell runs them', (path, text) => {
    const scripts = [...text.matchAll(/^(?:node )?((?:topologies|services|schemas|deploy|test)\/\S+)/gm)]
    const missing = scripts.map((match) => match[1]!).filter((script) => !existsSync(join(root, script)))
    expect(missing, path).toEqual([])
  })

  it('is shown in the README for everything that tidemark can do', () => {
    const shown = commandsIn(readme).map((words) => tidemarkCall(words)?.[0])
    expect(commands.map((command) => command.name()).filter((name) => !shown.includes(name))).toEqual([])
  })
})

describe('a link in the papers', () => {
  const anchorOf = (heading: string): string =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
  const anchorsOf = (text: string): string[] =>
    [...text.matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1]!))

  it.each(papers)('%s: leads somewhere', (path, text) => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : normalize(join(dirname(path), file)).replaceAll('\\', '/')
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && !anchorsOf(read(target)).includes(anchor)
    })
    expect(broken).toEqual([])
  })
})

describe('the README', () => {
  it('quotes the flight topology as it is', () => {
    const topology = read('topologies/flight-delay/topology.ts')
    const quotes = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]!)
    expect(quotes.length).toBeGreaterThan(3)
    expect(quotes.filter((quote) => !topology.includes(quote))).toEqual([])
  })

  it('lists the public topics, each with the noun that the code knows, and no other', () => {
    const listed = [...readme.matchAll(/^\|.*`<topology>\.([a-z-]+)`/gm)].map((match) => match[1]!)
    const isPublic = (kind: string): boolean =>
      topicKinds[kind as keyof typeof topicKinds].visibility === 'public'
    expect(listed.toSorted()).toEqual(Object.keys(topicKinds).filter(isPublic).toSorted())
  })

  it('is short enough to be read', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(250)
  })
})

describe('a code of an error', () => {
  const codesIn = (text: string): string[] => text.match(/\bTM(?:_[A-Z]+)+\b/g) ?? []

  it('is one of the table, wherever it is named', () => {
    const unknown = [...files].flatMap(([path, text]) =>
      codesIn(text).flatMap((code) => (Object.hasOwn(errorTable, code) ? [] : [`${path}: ${code}`])),
    )
    expect(unknown).toEqual([])
  })

  it('is raised by something, if it is in the table', () => {
    const sources = [...files].filter(([path]) => /^(services|deploy|topologies)\/.*\.ts$/.test(path))
    const raised = sources
      .filter(([path]) => path !== 'services/runtime/errors.ts')
      .flatMap(([, text]) => codesIn(text))
    expect(Object.keys(errorTable).filter((code) => !raised.includes(code))).toEqual([])
  })
})

describe('the runbook', () => {
  const sections = new Map(
    runbook.split(/^### /m).map((section) => {
      const end = section.indexOf('\n')
      return [section.slice(0, end), section.slice(end)]
    }),
  )

  it.each(Object.entries(errorTable))('says of %s what the error itself says', (code, { action }) => {
    expect(inOneLine(sections.get(code) ?? '')).toContain(`Do: ${action}`)
  })

  it('has an entry for every playbook that an alert can name, and no other', () => {
    const playbook = catalogue.Alert.schema.fields.find(({ name }) => name === 'playbook')!
    const { symbols } = playbook.type as unknown as { symbols: string[] }
    const part = /^## Playbooks$([\s\S]*?)^## /m.exec(runbook)?.[1] ?? ''
    const entries = [...part.matchAll(/^### (\S+)$/gm)].map((match) => match[1]!)
    expect(entries.toSorted()).toEqual(symbols.toSorted())
  })
})

it('the settings are listed as the code reads them', () => {
  const variable = /\b(?:TIDEMARK|KAFKA|SCHEMA)_[A-Z_]+\b/g
  const inCode = new Set(read('services/runtime/config.ts').match(variable))
  // A secret may also come from a file: the code adds _FILE to the name.
  inCode.add('KAFKA_SASL_PASSWORD_FILE')
  const table = read('services/runtime/README.md').split('## Settings')[1] ?? ''
  const listed = new Set((table.match(variable) ?? []).filter((name) => name !== 'TIDEMARK_'))
  expect([...listed].toSorted()).toEqual([...inCode].toSorted())
})
